//! The small tree of elements that XDF headers and footers are: no attributes, no namespaces.

use quick_xml::events::Event;
use quick_xml::{Reader, escape};

/// Deeper nesting than any header has; more is damage.
const MAX_DEPTH: usize = 64;

/// One element.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// Its own text, trimmed.
    pub text: String,
    /// The elements inside it.
    pub children: Vec<Node>,
}

impl Node {
    /// An element that holds others.
    #[must_use]
    pub fn branch(name: &str, children: Vec<Self>) -> Self {
        Self { name: name.to_owned(), text: String::new(), children }
    }

    /// An element that holds text.
    #[must_use]
    pub fn leaf(name: &str, text: impl Into<String>) -> Self {
        Self { name: name.to_owned(), text: text.into(), children: Vec::new() }
    }

    /// The first element of that name inside this one.
    #[must_use]
    pub fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The text of the first element of that name inside this one; empty where there is none.
    #[must_use]
    pub fn text_of(&self, name: &str) -> &str {
        self.child(name).map_or("", |child| child.text.as_str())
    }

    /// The document. Characters that XML cannot carry become U+FFFD.
    #[must_use]
    pub fn to_document(&self) -> String {
        let mut xml = String::from("<?xml version=\"1.0\"?>");
        self.write(&mut xml);
        xml
    }

    fn write(&self, xml: &mut String) {
        xml.push('<');
        xml.push_str(&self.name);
        xml.push('>');
        let legal: String = self.text.chars().map(|c| if is_xml_char(c) { c } else { '\u{FFFD}' }).collect();
        xml.push_str(&escape::escape(legal.as_str()));
        for child in &self.children {
            child.write(xml);
        }
        xml.push_str("</");
        xml.push_str(&self.name);
        xml.push('>');
    }

    /// The root element of a document; what is wrong where it is not one.
    pub fn parse(document: &str) -> Result<Self, String> {
        let mut reader = Reader::from_str(document);
        // Elements that are open; the first is a stand-in whose only child is the root.
        let mut open = vec![Self::default()];
        loop {
            let event = reader
                .read_event()
                .map_err(|error| format!("{error} (character {} of its XML)", reader.error_position()))?;
            match event {
                Event::Start(start) => {
                    if open.len() > MAX_DEPTH {
                        return Err(format!("elements nested deeper than {MAX_DEPTH}"));
                    }
                    open.push(Self::leaf(start.local_name().as_ref(), ""));
                }
                Event::Empty(empty) => adopt(&mut open, Self::leaf(empty.local_name().as_ref(), "")),
                Event::End(_) => {
                    if let Some(mut node) = open.pop() {
                        node.text = node.text.trim().to_owned();
                        adopt(&mut open, node);
                    }
                }
                Event::Text(text) => append(&mut open, &text.xml10_content()),
                Event::CData(data) => append(&mut open, &data.xml10_content()),
                Event::GeneralRef(reference) => {
                    let entity = format!("&{};", &*reference);
                    let at = reader.buffer_position();
                    let text = escape::unescape(&entity)
                        .map_err(|error| format!("{error} (character {at} of its XML)"))?;
                    append(&mut open, &text);
                }
                Event::Eof => break,
                _ => {}
            }
        }
        if open.len() != 1 {
            return Err("the document ends inside an element".to_owned());
        }
        let root = open.pop().and_then(|stand_in| stand_in.children.into_iter().next());
        root.ok_or_else(|| "the document has no element".to_owned())
    }
}

fn adopt(open: &mut [Node], node: Node) {
    if let Some(parent) = open.last_mut() {
        parent.children.push(node);
    }
}

fn append(open: &mut [Node], text: &str) {
    if let Some(node) = open.last_mut() {
        node.text.push_str(text);
    }
}

/// XML 1.0, production 2.
fn is_xml_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nested_and_escaped_text_survives() {
        let tree = Node::branch(
            "info",
            vec![
                Node::leaf("name", "a < b & \"c\" > d"),
                Node::branch("desc", vec![Node::leaf("unit", "µV")]),
            ],
        );
        assert_eq!(Node::parse(&tree.to_document()).unwrap(), tree);
    }

    #[test]
    fn control_characters_cannot_break_a_document() {
        let parsed = Node::parse(&Node::leaf("label", "F\u{0}z\u{1b}").to_document()).unwrap();
        assert_eq!(parsed.text, "F\u{FFFD}z\u{FFFD}");
    }

    #[test]
    fn an_unclosed_or_deep_document_is_refused() {
        assert!(Node::parse("<info><name>x</name>").is_err());
        assert!(Node::parse(&"<a>".repeat(100_000)).is_err());
        assert!(Node::parse("").is_err());
    }

    proptest! {
        #[test]
        fn any_text_parses_or_is_refused(document in "\\PC*|(<[a-c]>|</[a-c]>|&[a-z#0-9]*;|<!--|-->|x)*") {
            let _ = Node::parse(&document);
        }

        #[test]
        fn any_printable_leaf_survives(text in "[^\\p{C}\\s]*") {
            let parsed = Node::parse(&Node::leaf("t", text.clone()).to_document()).unwrap();
            prop_assert_eq!(parsed.text, text);
        }
    }
}
