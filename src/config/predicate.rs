//! Whether an LSL predicate can be one, before liblsl is asked: it answers a malformed one by never finding anything.
//!
//! Not a parser of XPath 1.0: quotes and brackets must pair, nothing may be nested deeply, and no operator may lack a
//! side. What passes may still be wrong in a way that only liblsl would know.

/// Nesting that no real predicate has.
const DEEPEST: usize = 16;

/// What is wrong with `text`, if anything.
#[must_use]
pub fn problem(text: &str) -> Option<String> {
    let mut open = Vec::new();
    let mut quote = None;
    let mut bare = String::new();
    for c in text.chars() {
        match (quote, c) {
            (Some(mark), _) if c == mark => {
                quote = None;
                bare.push('s');
            }
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '(' | '[') => {
                open.push(c);
                bare.push(c);
            }
            (None, ')' | ']') => {
                let pair = if c == ')' { '(' } else { '[' };
                if open.pop() != Some(pair) {
                    return Some(format!("`{c}` closes nothing"));
                }
                bare.push(c);
            }
            (None, _) => bare.push(c),
        }
        if open.len() > DEEPEST {
            return Some(format!("it is nested more than {DEEPEST} deep"));
        }
    }
    if let Some(mark) = quote {
        return Some(format!("a quote {mark} is not closed"));
    }
    if let Some(bracket) = open.last() {
        return Some(format!("`{bracket}` is not closed"));
    }
    let spaced = ["!=", "<=", ">=", "=", "<", ">", "(", ")", "[", "]", ","]
        .iter()
        .fold(bare, |text, mark| text.replace(mark, &format!(" {mark} ")));
    let words: Vec<&str> = spaced.split_whitespace().collect();
    if words.is_empty() {
        return Some("it is empty".to_owned());
    }
    let joins = |word: &str| matches!(word, "and" | "or" | "=" | "<" | ">" | "!");
    let edge = |word: &str| joins(word) || word == ",";
    let first_or_last = words.first().into_iter().chain(words.last()).find(|word| edge(word));
    if let Some(word) = first_or_last {
        return Some(format!("`{word}` has only one side"));
    }
    for pair in words.windows(2) {
        let [one, other] = pair else { continue };
        let both_join = joins(one) && joins(other) && !matches!((*one, *other), ("!" | "<" | ">", "="));
        let hangs = matches!(*other, ")" | "]") && edge(one) || matches!(*one, "(" | "[") && edge(other);
        if both_join || hangs {
            return Some(format!("`{one} {other}` lacks something between"));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_is_told_and_what_can_passes() {
        for good in [
            "type='EEG'",
            "starts-with(name,'Bio') and channel_count=64",
            "type='EEG' and (hostname=\"lab1\" or hostname='lab2')",
            "count(desc/channels/channel)>=8",
            "name!='x' and contains(source_id, 'and (')",
            "not(name='a')",
        ] {
            assert_eq!(problem(good), None, "{good}");
        }
        for bad in [
            "",
            "type='EEG",
            "type='EEG' and",
            "(type='EEG'",
            "type='EEG')",
            "=1",
            "type==",
            "a='1' and or b='2'",
            "starts-with(name,)",
            "f(]",
            &"(".repeat(40),
        ] {
            assert!(problem(bad).is_some(), "{bad}");
        }
    }
}
