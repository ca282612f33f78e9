//! What an account needs of a database, and how its values cross.

use std::str::FromStr;

use crate::time::Timestamp;

/// The platform's numbers are doubles: these are whole, and exact up to here.
pub const LARGEST: u64 = (1 << 53) - 1;

/// A database that belongs to one account.
pub trait Sql {
    /// Runs one statement; each `?` takes the next of `values`.
    ///
    /// # Errors
    /// The database refused it.
    fn run(&self, statement: &'static str, values: &[Value]) -> Result<Vec<Row>, SqlError>;
}

/// A statement failed, or a row is not what the tables promise.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("sql: {0}")]
pub struct SqlError(pub String);

/// What a column holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Nothing.
    Null,
    /// A whole number, at most [`LARGEST`] from zero.
    Integer(i64),
    /// UTF-8.
    Text(String),
}

impl Value {
    /// A number.
    ///
    /// # Errors
    /// It is greater than [`LARGEST`].
    pub fn number(number: u64) -> Result<Self, SqlError> {
        match i64::try_from(number) {
            Ok(whole) if number <= LARGEST => Ok(Self::Integer(whole)),
            _ => Err(SqlError(format!("{number} is too large a number"))),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Integer(number.into())
    }
}

impl From<i32> for Value {
    fn from(number: i32) -> Self {
        Self::Integer(number.into())
    }
}

impl From<bool> for Value {
    fn from(is: bool) -> Self {
        Self::Integer(is.into())
    }
}

impl From<Timestamp> for Value {
    /// Milliseconds; [`Timestamp::NEVER`], and what is too late to be told from it, is null.
    fn from(at: Timestamp) -> Self {
        Self::number(at.millis()).unwrap_or(Self::Null)
    }
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// The columns of one row, read from left to right.
#[derive(Debug)]
pub struct Row(std::vec::IntoIter<Value>);

impl From<Vec<Value>> for Row {
    fn from(values: Vec<Value>) -> Self {
        Self(values.into_iter())
    }
}

impl Row {
    /// Text, or null.
    pub(crate) fn maybe_text(&mut self) -> Result<Option<String>, SqlError> {
        match self.0.next() {
            Some(Value::Text(text)) => Ok(Some(text)),
            Some(Value::Null) => Ok(None),
            _ => Err(unexpected("text")),
        }
    }

    pub(crate) fn text(&mut self) -> Result<String, SqlError> {
        self.maybe_text()?.ok_or_else(|| unexpected("text"))
    }

    /// A number, or null.
    pub(crate) fn maybe_number(&mut self) -> Result<Option<u64>, SqlError> {
        match self.0.next() {
            Some(Value::Integer(number)) => u64::try_from(number).map(Some).map_err(|_| unexpected("a number")),
            Some(Value::Null) => Ok(None),
            _ => Err(unexpected("a number")),
        }
    }

    pub(crate) fn number(&mut self) -> Result<u64, SqlError> {
        self.maybe_number()?.ok_or_else(|| unexpected("a number"))
    }

    pub(crate) fn small(&mut self) -> Result<u32, SqlError> {
        u32::try_from(self.number()?).map_err(|_| unexpected("a number below 2^32"))
    }

    /// A whole number of either sign.
    pub(crate) fn signed(&mut self) -> Result<i32, SqlError> {
        match self.0.next() {
            Some(Value::Integer(number)) => i32::try_from(number).map_err(|_| unexpected("a number of 32 bits")),
            _ => Err(unexpected("a number")),
        }
    }

    /// A number below 2^32, or null.
    pub(crate) fn maybe_small(&mut self) -> Result<Option<u32>, SqlError> {
        self.maybe_number()?.map(u32::try_from).transpose().map_err(|_| unexpected("a number below 2^32"))
    }

    pub(crate) fn flag(&mut self) -> Result<bool, SqlError> {
        Ok(self.number()? != 0)
    }

    /// A time, or null.
    pub(crate) fn maybe_time(&mut self) -> Result<Option<Timestamp>, SqlError> {
        Ok(self.maybe_number()?.map(Timestamp::from_millis))
    }

    /// A time; null is [`Timestamp::NEVER`].
    pub(crate) fn time(&mut self) -> Result<Timestamp, SqlError> {
        Ok(self.maybe_time()?.unwrap_or(Timestamp::NEVER))
    }

    pub(crate) fn parsed<T: FromStr>(&mut self) -> Result<T, SqlError> {
        self.text()?.parse().map_err(|_| unexpected("an identifier"))
    }

    /// An identifier, or null.
    pub(crate) fn maybe_parsed<T: FromStr>(&mut self) -> Result<Option<T>, SqlError> {
        self.maybe_text()?.map(|text| text.parse()).transpose().map_err(|_| unexpected("an identifier"))
    }
}

/// The first row, if there is one.
pub(crate) fn first(rows: Vec<Row>) -> Option<Row> {
    rows.into_iter().next()
}

/// Every row, read.
pub(crate) fn all<T>(rows: Vec<Row>, read: impl Fn(&mut Row) -> Result<T, SqlError>) -> Result<Vec<T>, SqlError> {
    rows.into_iter().map(|mut row| read(&mut row)).collect()
}

/// A page of `limit` out of rows that were asked for with one more, and whether there are more.
pub(crate) fn page<T>(rows: Vec<Row>, limit: u32, read: impl Fn(&mut Row) -> Result<T, SqlError>) -> Result<(Vec<T>, bool), SqlError> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = rows.len() > limit;
    Ok((rows.into_iter().take(limit).map(|mut row| read(&mut row)).collect::<Result<_, _>>()?, more))
}

fn unexpected(wanted: &str) -> SqlError {
    SqlError(format!("a column is not {wanted}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_a_double_would_change_are_refused() {
        assert_eq!(Value::number(LARGEST), Ok(Value::Integer(9_007_199_254_740_991)));
        assert!(Value::number(LARGEST + 1).is_err());
        assert!(Value::number(u64::MAX).is_err());
    }

    #[test]
    fn never_is_null_and_comes_back() {
        assert_eq!(Value::from(Timestamp::NEVER), Value::Null);
        let moment = Timestamp::from_millis(1_800_000_000_123);
        let mut row = Row::from(vec![Value::from(Timestamp::NEVER), Value::from(moment), Value::from(Some(moment))]);
        assert_eq!((row.time(), row.time(), row.maybe_time()), (Ok(Timestamp::NEVER), Ok(moment), Ok(Some(moment))));
        assert!(row.time().is_err(), "there are no more columns");
    }

    #[test]
    fn a_column_of_another_kind_is_an_error() {
        let row = || Row::from(vec![Value::from("x")]);
        assert!(row().number().is_err() && row().flag().is_err() && row().time().is_err());
        assert!(row().parsed::<crate::id::SessionId>().is_err());
        assert!(Row::from(vec![Value::from(1_u32)]).text().is_err());
        assert!(Row::from(vec![Value::Integer(-1)]).number().is_err());
        assert!(Row::from(vec![Value::Integer(1 << 32)]).small().is_err());
    }
}
