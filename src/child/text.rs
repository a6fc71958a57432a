//! Texts in words of shared memory. What comes back is bounded and holds no control character, whatever the other
//! process has written: it may have come from the network, and goes to screens, files and logs.

use crate::clean;

/// Words of `text`, cut at `most` bytes at the border of a character: its length first.
pub fn pack(text: &str, most: usize) -> impl Iterator<Item = u64> + '_ {
    let bytes = cut(text, most).as_bytes();
    std::iter::once(bytes.len() as u64).chain(bytes.chunks(8).map(|chunk| {
        let mut word = [0; 8];
        for (to, from) in word.iter_mut().zip(chunk) {
            *to = *from;
        }
        u64::from_le_bytes(word)
    }))
}

/// The text that [`pack`] has put into `words`, of at most as many bytes as they hold. [`SEPARATOR`]s stay.
#[must_use]
pub fn unpack(words: &[u64]) -> String {
    let text = unpack_raw(words);
    text.split(SEPARATOR).map(clean::line).collect::<Vec<_>>().join(&SEPARATOR.to_string())
}

/// The same as it was sent, control characters and all, cut at what the slot holds: for what is kept, not shown.
#[must_use]
pub fn unpack_raw(words: &[u64]) -> String {
    let Some((&length, words)) = words.split_first() else { return String::new() };
    let length = usize::try_from(length).unwrap_or(usize::MAX).min(words.len() * 8);
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).take(length).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Between the fields of a text that has several. A control character, so that no cleaned field holds it.
pub const SEPARATOR: char = '\u{1f}';

/// `fields`, each cleaned and of at most `most` bytes, as one text.
#[must_use]
pub fn join<'a>(fields: impl IntoIterator<Item = &'a str>, most: usize) -> String {
    let fields: Vec<String> =
        fields.into_iter().map(|field| cut(&clean::line(field), most).to_owned()).collect();
    fields.join(&SEPARATOR.to_string())
}

fn cut(text: &str, most: usize) -> &str {
    let mut end = most.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn fields_come_back_clean() {
        let text = join(["a\u{1b}[2Jb", "µV", "x\u{1f}y"], 100);
        let words: Vec<u64> = pack(&text, 1000).collect();
        let back = unpack(&words);
        assert_eq!(back.split(SEPARATOR).count(), 3, "{back:?}");
        assert!(!back.contains('\u{1b}') && back.contains("µV"));
    }

    proptest! {
        #[test]
        fn any_words_give_a_bounded_text(words in prop::collection::vec(any::<u64>(), 0..40)) {
            let text = unpack(&words);
            // A byte that is no UTF-8 becomes a mark of three; an escape is shown by more.
            prop_assert!(text.len() <= words.len() * 8 * 10);
            prop_assert!(text.chars().all(|c| !c.is_control() || c == SEPARATOR));
        }

        #[test]
        fn plain_texts_come_back(text in "[a-zA-Z0-9 µäЖ_-]{0,60}") {
            let words: Vec<u64> = pack(&text, 1000).collect();
            prop_assert_eq!(unpack(&words), text);
        }
    }
}
