//! A strict reader of our own HTML: whatever it cannot account for fails the test.

/// One element as it was opened.
pub struct Element {
    pub name: String,
    pub attributes: Vec<(String, String)>,
    /// All text within it, entities as they are written.
    pub text: String,
}

impl Element {
    pub fn get(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

const VOID: [&str; 10] = ["meta", "link", "input", "img", "br", "path", "circle", "hr", "wbr", "source"];

/// Reads a page: every element is closed by its own tag, every attribute value is quoted and stands once.
pub fn read(html: &str) -> Vec<Element> {
    let mut rest = html.strip_prefix("<!doctype html>").unwrap_or_else(|| panic!("no doctype"));
    let (mut elements, mut open): (Vec<Element>, Vec<usize>) = (Vec::new(), Vec::new());
    while let Some((text, tag)) = rest.split_once('<') {
        for &at in &open {
            elements[at].text.push_str(text);
        }
        if let Some(closing) = tag.strip_prefix('/') {
            let (name, after) = closing.split_once('>').unwrap();
            let at = open.pop().unwrap_or_else(|| panic!("</{name}> closes nothing"));
            assert_eq!(elements[at].name, name, "</{name}> closes <{}>", elements[at].name);
            rest = after;
        } else {
            let (element, after) = opening(tag);
            if !VOID.contains(&element.name.as_str()) {
                open.push(elements.len());
            }
            elements.push(element);
            rest = after;
        }
    }
    assert!(open.is_empty() && rest.trim().is_empty(), "something is left open");
    elements
}

fn opening(tag: &str) -> (Element, &str) {
    let end = tag.find(|c: char| !c.is_ascii_lowercase() && !c.is_ascii_digit()).unwrap();
    let (name, mut rest) = tag.split_at(end);
    assert!(!name.is_empty(), "a bare < in {tag:.60}");
    let mut attributes: Vec<(String, String)> = Vec::new();
    loop {
        rest = rest.trim_start();
        if let Some(after) = rest.strip_prefix("/>").or_else(|| rest.strip_prefix('>')) {
            return (Element { name: name.to_owned(), attributes, text: String::new() }, after);
        }
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '-').unwrap();
        let (attribute, after) = rest.split_at(end);
        assert!(!attribute.is_empty(), "an odd attribute of <{name}>: {rest:.60}");
        assert!(attributes.iter().all(|(known, _)| known != attribute), "{attribute} stands twice in <{name}>");
        let value = match after.strip_prefix("=\"") {
            Some(quoted) => {
                let (value, after) = quoted.split_once('"').unwrap();
                rest = after;
                value
            }
            None => {
                assert!(!after.starts_with('='), "the value of {attribute} is not quoted");
                rest = after;
                ""
            }
        };
        attributes.push((attribute.to_owned(), value.to_owned()));
    }
}

#[test]
#[should_panic(expected = "closes")]
fn an_element_that_breaks_out_is_found() {
    read("<!doctype html><p>a</b></p>");
}

#[test]
fn what_is_read() {
    let elements = read("<!doctype html><p class=\"x\" hidden>a<br>b <b>c</b></p>");
    assert_eq!(elements.iter().map(|element| element.name.as_str()).collect::<Vec<_>>(), ["p", "br", "b"]);
    assert_eq!((elements[0].get("class"), elements[0].get("hidden"), elements[0].text.as_str()), (Some("x"), Some(""), "ab c"));
}
