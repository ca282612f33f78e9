//! What every command works with: the tables, the time, and whom the caller reaches.

use super::tally::ACCOUNT;
use super::words::Status;
use super::{LONGEST_PAGE, Refused};
use crate::account::sql::{Row, Sql, SqlError, Value, first};
use crate::id::RegistrationId;
use crate::time::Timestamp;

/// One command, as it is being carried out.
pub(super) struct Call<'a, S: Sql> {
    pub sql: &'a S,
    pub now: Timestamp,
    pub caller: Option<RegistrationId>,
}

/// Why a command ends early. What is refused has written nothing: it is refused before.
pub(super) enum Stop {
    Refused(Refused),
    Failed(SqlError),
}

impl From<Refused> for Stop {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

impl From<SqlError> for Stop {
    fn from(error: SqlError) -> Self {
        Self::Failed(error)
    }
}

/// An agent, as far as its place in the tree goes.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub id: RegistrationId,
    pub path: String,
    pub parent: Option<RegistrationId>,
    pub status: Status,
    pub depth: u32,
    pub height: u32,
    pub max_child_depth: u32,
}

/// Whom a caller reaches: everybody whose path begins with this.
#[derive(Clone, Debug)]
pub(super) struct Reach(pub String);

impl Reach {
    pub fn covers(&self, path: &str) -> bool {
        path.starts_with(&self.0)
    }

    /// The first and the last path that it covers, for `BETWEEN`.
    pub fn bounds(&self) -> [Value; 2] {
        // Later than whatever a path is made of.
        [self.0.as_str().into(), format!("{}~", self.0).into()]
    }
}

impl<S: Sql> Call<'_, S> {
    pub fn node(&self, id: &RegistrationId) -> Result<Option<Node>, SqlError> {
        let rows = self
            .sql
            .run("SELECT id, path, parent, status, depth, height, max_child_depth FROM tenant_agent WHERE id = ?", &[id.as_str().into()])?;
        first(rows).map(|mut row| read(&mut row)).transpose()
    }

    /// An agent and its ancestors, itself first; nothing if it is not of this tree.
    pub fn line(&self, id: &RegistrationId) -> Result<Vec<Node>, SqlError> {
        let mut line: Vec<Node> = Vec::new();
        let mut next = self.node(id)?;
        while let Some(node) = next {
            next = node.parent.as_ref().map(|parent| self.node(parent)).transpose()?.flatten();
            line.push(node);
        }
        Ok(line)
    }

    /// Where what belongs to `agent` has its place: nobody of the tree reaches what is of an agent of elsewhere.
    pub fn path_of(&self, agent: &RegistrationId) -> Result<String, SqlError> {
        Ok(self.node(agent)?.map_or_else(|| format!("!{agent}"), |node| node.path))
    }

    /// Whose counts change with something of `agent`: its own, its ancestors' and the account's.
    pub fn counted(&self, agent: &RegistrationId) -> Result<Vec<String>, SqlError> {
        let mut counted: Vec<String> = self.line(agent)?.into_iter().skip(1).map(|node| node.id.into()).collect();
        counted.extend([agent.as_str().to_owned(), ACCOUNT.to_owned()]);
        Ok(counted)
    }

    /// Whom the caller reaches.
    pub fn reach(&self) -> Result<Reach, Stop> {
        let Some(caller) = &self.caller else { return Ok(Reach(String::new())) };
        Ok(Reach(self.node(caller)?.ok_or(Refused::Missing)?.path))
    }

    /// The same for whoever wants to change something: the caller and its ancestors must be active.
    pub fn acting(&self) -> Result<Reach, Stop> {
        if let Some(caller) = &self.caller
            && self.line(caller)?.iter().any(|node| node.status != Status::Active)
        {
            return Err(Refused::Inactive.into());
        }
        self.reach()
    }

    /// An agent that the caller reaches.
    pub fn reached(&self, reach: &Reach, id: &RegistrationId) -> Result<Node, Stop> {
        self.node(id)?.filter(|node| reach.covers(&node.path)).ok_or_else(|| Refused::Missing.into())
    }

    /// What is counted for the caller is counted of this.
    pub fn caller_name(&self) -> &str {
        self.caller.as_ref().map_or(ACCOUNT, RegistrationId::as_str)
    }
}

/// `LIMIT` and `OFFSET` of a page.
pub(super) fn page(limit: u32, offset: u32) -> [Value; 2] {
    [limit.clamp(1, LONGEST_PAGE).into(), offset.into()]
}

/// An empty text is none.
pub(super) fn filled(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

fn read(row: &mut Row) -> Result<Node, SqlError> {
    Ok(Node {
        id: row.parsed()?,
        path: row.text()?,
        parent: row.maybe_parsed()?,
        status: row.parsed()?,
        depth: row.small()?,
        height: row.small()?,
        max_child_depth: row.small()?,
    })
}
