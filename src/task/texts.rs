//! What the participant reads: a text file with a name in brackets above each text, so that it can be translated.

use std::collections::BTreeMap;

/// Our own texts, in English; the names that every file must have.
pub const ENGLISH: &str = include_str!("texts_en.txt");

/// Texts by their names.
pub type Texts = BTreeMap<String, String>;

/// Reads a file's text. Lines that follow each other are joined, an empty line begins a paragraph.
///
/// # Errors
/// Names a text that is missing, unknown, empty, or stands twice, and the line before which there is no name.
pub fn parse(text: &str) -> Result<Texts, String> {
    let given = sections(text)?;
    let known = sections(ENGLISH)?;
    for name in known.keys() {
        match given.get(name) {
            None => return Err(format!("texts: [{name}] is missing")),
            Some(text) if text.is_empty() => return Err(format!("texts: nothing stands below [{name}]")),
            Some(_) => {}
        }
    }
    match given.keys().find(|name| !known.contains_key(*name)) {
        Some(name) => Err(format!(
            "texts: [{name}] is unknown; there are {}",
            known.into_keys().collect::<Vec<_>>().join(", ")
        )),
        None => Ok(given),
    }
}

fn sections(text: &str) -> Result<Texts, String> {
    let mut found = Texts::new();
    let mut current: Option<String> = None;
    for (number, line) in (1..).zip(text.trim_start_matches('\u{feff}').lines()) {
        let line = line.trim();
        if line.starts_with('#') {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            if found.insert(name.to_owned(), String::new()).is_some() {
                return Err(format!("texts, line {number}: [{name}] stands twice"));
            }
            current = Some(name.to_owned());
            continue;
        }
        let Some(text) = current.as_ref().and_then(|name| found.get_mut(name)) else {
            if line.is_empty() {
                continue;
            }
            return Err(format!("texts, line {number}: stands below no name in brackets"));
        };
        if line.is_empty() {
            if !text.is_empty() {
                text.push_str("\n\n");
            }
        } else {
            if !text.is_empty() && !text.ends_with('\n') {
                text.push(' ');
            }
            text.push_str(line);
        }
    }
    found.values_mut().for_each(|text| text.truncate(text.trim_end().len()));
    Ok(found)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn our_own_texts_are_whole() {
        let texts = parse(ENGLISH).unwrap();
        assert!(texts["break"].contains("{done} of {of}"));
        assert!(texts["instructions_colour"].contains("of each.\n\nAfter a short pause, circles"));
        assert!(texts["instructions_colour"].contains("colour that the dot"));
    }

    #[test]
    fn a_translation_that_lacks_something_is_told() {
        assert!(parse(&ENGLISH.replace("[wait]", "[wiat]")).unwrap_err().contains("[wait] is missing"));
        assert!(parse(&format!("{ENGLISH}\n[more]\nx\n")).unwrap_err().contains("[more] is unknown"));
        assert!(parse(&ENGLISH.replace("Please wait.", "")).unwrap_err().contains("below [wait]"));
        assert!(parse("hello\n").unwrap_err().contains("line 1"));
        assert!(parse(&format!("{ENGLISH}\n[end]\nx\n")).unwrap_err().contains("[end] stands twice"));
    }
}
