//! Which block has which condition, sealed.
//!
//! A study has one allocation file, made by `tras allocate` before the first session. It is public: for each block of
//! each session a commitment and a sealed box, and over all of them one commitment that can be printed, registered, or
//! put into a protocol. Nobody can tell a condition from it, and nobody can change one without its showing.
//!
//! ```text
//! commitment of a block = SHA-256 of  "tras allocation 1\n" study \n participant \n session \n block \n condition \n salt \n
//! commitment of a study = SHA-256 of  "tras allocation 1\n" study \n, then for each block
//!                         participant \t session \t block \t its commitment \n   in the order of the file
//! sealed box            = age file, to the instrument and to the holder of the emergency key, of these six as JSON,
//!                         padded to 1,024 bytes
//! ```
//! The salt is 256 random bits for each block: without it 12 balanced blocks of three conditions, which have only 34,650
//! orders, would be guessed at once. A box is opened for one block at a time ([`Allocation::open`]), and what it holds is
//! believed only where the commitment fits.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use age::x25519::{Identity, Recipient};
use serde::{Deserialize, Serialize};

use super::hash::{Hash, from_hex, to_hex};
use super::private;
use super::sealed::{decrypt, encrypt};

const FORMAT: &str = "tras allocation 1";
/// What a box holds, padding included.
const BOX_BYTES: usize = 1_024;
/// Names are shorter than this, so that a box has room for all of them.
const MAX_NAME: usize = 100;

/// Why an allocation cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AllocationError {
    /// The file cannot be read or written.
    #[error("allocation {}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// The file is none, or not what was made.
    #[error("allocation: {0}")]
    Malformed(String),
    /// The file was changed.
    #[error("allocation: {0}: the file was changed, or is another study's; bring back the one that was made")]
    Commitment(String),
    /// The session is not in it.
    #[error(
        "allocation of study {study:?} has no session {session:?} of participant {participant:?}; it has {known}"
    )]
    Unknown {
        /// The study.
        study: String,
        /// As asked for.
        participant: String,
        /// As asked for.
        session: String,
        /// What there is.
        known: String,
    },
    /// The session has fewer blocks.
    #[error("allocation: session {session:?} of participant {participant:?} has no block {block}")]
    Block {
        /// As asked for.
        participant: String,
        /// As asked for.
        session: String,
        /// As asked for, from 1.
        block: u32,
    },
    /// The box cannot be opened.
    #[error(
        "allocation: block {block} cannot be opened: {what}; the instrument's or the emergency key is needed"
    )]
    Sealed {
        /// From 1.
        block: u32,
        /// Why.
        what: String,
    },
}

/// A block, sealed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct SealedBlock {
    participant: String,
    session: String,
    block: u32,
    commitment: Hash,
    /// The box, in hexadecimal digits.
    sealed: String,
}

/// A block, open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenBlock {
    /// The study.
    pub study: String,
    /// The participant.
    pub participant: String,
    /// The session.
    pub session: String,
    /// The block, from 1.
    pub block: u32,
    /// Its condition.
    pub condition: String,
    /// What the commitment was salted with.
    pub salt: String,
}

impl OpenBlock {
    /// What the block commits to.
    #[must_use]
    pub fn commitment(&self) -> Hash {
        let Self { study, participant, session, block, condition, salt } = self;
        Hash::of(
            format!("{FORMAT}\n{study}\n{participant}\n{session}\n{block}\n{condition}\n{salt}\n").as_bytes(),
        )
    }
}

/// A study's allocation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allocation {
    format: String,
    /// The study.
    pub study: String,
    /// How the orders were made, in words.
    pub method: String,
    /// When, ISO 8601.
    pub created: String,
    /// The conditions, in alphabetical order: that they are these is no secret.
    pub conditions: Vec<String>,
    /// Public keys of those who can open a box.
    pub recipients: Vec<String>,
    /// Over everything.
    pub commitment: Hash,
    blocks: Vec<SealedBlock>,
}

/// The order of one session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// The participant.
    pub participant: String,
    /// The session.
    pub session: String,
    /// The condition of each block, from the first.
    pub conditions: Vec<String>,
}

impl Allocation {
    /// Salts and seals the orders of a study. `method`: how they were made; `created`: ISO 8601.
    ///
    /// # Errors
    /// A name that cannot be told apart or is too long, a session twice, nobody who could open a box.
    pub fn seal(
        study: &str,
        method: &str,
        created: String,
        orders: &[Order],
        recipients: &[Recipient],
    ) -> Result<Self, AllocationError> {
        let malformed = |what: String| Err(AllocationError::Malformed(what));
        let (mut sessions, mut conditions) = (BTreeSet::new(), BTreeSet::new());
        let mut blocks = Vec::new();
        for Order { participant, session, conditions: order } in orders {
            if !sessions.insert((participant, session)) {
                return malformed(format!(
                    "session {session:?} of participant {participant:?} stands there twice"
                ));
            }
            for (block, condition) in (1..).zip(order) {
                for name in [study, participant, session, condition] {
                    if name.trim() != name
                        || name.is_empty()
                        || name.len() > MAX_NAME
                        || name.contains(char::is_control)
                    {
                        return malformed(format!(
                            "{name:?} is no name: it must not be empty, longer than {MAX_NAME} bytes, or hold line breaks \
                             or blanks around it"
                        ));
                    }
                }
                conditions.insert(condition.clone());
                let open = OpenBlock {
                    study: study.to_owned(),
                    participant: participant.clone(),
                    session: session.clone(),
                    block,
                    condition: condition.clone(),
                    salt: to_hex(&rand::random::<[u8; 32]>()),
                };
                let mut text = serde_json::to_string(&open).unwrap_or_default();
                text.extend(std::iter::repeat_n(' ', BOX_BYTES.saturating_sub(text.len())));
                let sealed = encrypt(recipients, text.as_bytes())
                    .map_err(|what| AllocationError::Malformed(format!("it cannot be sealed: {what}")))?;
                blocks.push(SealedBlock {
                    participant: participant.clone(),
                    session: session.clone(),
                    block,
                    commitment: open.commitment(),
                    sealed: to_hex(&sealed),
                });
            }
        }
        if blocks.is_empty() {
            return malformed("there is no session to allocate".to_owned());
        }
        let mut allocation = Self {
            format: FORMAT.to_owned(),
            study: study.to_owned(),
            method: method.to_owned(),
            created,
            conditions: conditions.into_iter().collect(),
            recipients: recipients.iter().map(ToString::to_string).collect(),
            commitment: Hash::ZERO,
            blocks,
        };
        allocation.commitment = allocation.root();
        Ok(allocation)
    }

    fn root(&self) -> Hash {
        let mut text = format!("{FORMAT}\n{}\n", self.study);
        for SealedBlock { participant, session, block, commitment, .. } in &self.blocks {
            text += &format!("{participant}\t{session}\t{block}\t{commitment}\n");
        }
        Hash::of(text.as_bytes())
    }

    /// Reads a file and checks that its commitments fit together.
    ///
    /// # Errors
    /// It cannot be read, is no allocation, or was changed.
    pub fn load(path: &Path) -> Result<Self, AllocationError> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| AllocationError::File { path: path.to_owned(), error })?;
        Self::parse(&text)
    }

    /// As [`Self::load`], from its text.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn parse(text: &str) -> Result<Self, AllocationError> {
        let allocation: Self = serde_json::from_str(text)
            .map_err(|error| AllocationError::Malformed(format!("the file is no allocation: {error}")))?;
        if allocation.format != FORMAT {
            return Err(AllocationError::Malformed(format!("the file is no {FORMAT:?}")));
        }
        let root = allocation.root();
        if root != allocation.commitment {
            let (said, is) = (allocation.commitment.short(), root.short());
            return Err(AllocationError::Commitment(format!(
                "it says commitment {said}..., its blocks have {is}..."
            )));
        }
        Ok(allocation)
    }

    /// As text: what a file holds.
    #[must_use]
    pub fn to_text(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    /// Writes a new file, for its owner alone.
    ///
    /// # Errors
    /// It is there already, or cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), AllocationError> {
        private::write_new(path, self.to_text().as_bytes())
            .map_err(|error| AllocationError::File { path: path.to_owned(), error })
    }

    /// Whether it is the one that was registered.
    ///
    /// # Errors
    /// It is another one.
    pub fn expect(&self, commitment: Hash) -> Result<(), AllocationError> {
        if self.commitment == commitment {
            return Ok(());
        }
        let (is, should) = (self.commitment.short(), commitment.short());
        Err(AllocationError::Commitment(format!("its commitment is {is}..., it should be {should}...")))
    }

    /// Those who can open a box.
    ///
    /// # Errors
    /// A key is none.
    pub fn recipients(&self) -> Result<Vec<Recipient>, AllocationError> {
        let parse = |text: &String| {
            text.parse()
                .map_err(|what| AllocationError::Malformed(format!("{text:?} is no public key: {what}")))
        };
        self.recipients.iter().map(parse).collect()
    }

    /// How many blocks a session has.
    ///
    /// # Errors
    /// It is not in the allocation.
    pub fn blocks(&self, participant: &str, session: &str) -> Result<u32, AllocationError> {
        let count =
            self.blocks.iter().filter(|b| b.participant == participant && b.session == session).count();
        if count > 0 {
            return Ok(u32::try_from(count).unwrap_or(u32::MAX));
        }
        let mut known: Vec<String> = Vec::new();
        for block in &self.blocks {
            let name = format!("{}/{}", block.participant, block.session);
            if known.last() != Some(&name) {
                known.push(name);
            }
        }
        let more = known.len().saturating_sub(8);
        known.truncate(8);
        if more > 0 {
            known.push(format!("{more} more"));
        }
        Err(AllocationError::Unknown {
            study: self.study.clone(),
            participant: participant.to_owned(),
            session: session.to_owned(),
            known: known.join(", "),
        })
    }

    /// The commitment of one block.
    #[must_use]
    pub fn commitment_of(&self, participant: &str, session: &str, block: u32) -> Option<Hash> {
        self.find(participant, session, block).map(|b| b.commitment)
    }

    fn find(&self, participant: &str, session: &str, block: u32) -> Option<&SealedBlock> {
        self.blocks.iter().find(|b| b.participant == participant && b.session == session && b.block == block)
    }

    /// Opens the box of one block, from 1.
    ///
    /// # Errors
    /// There is none, the key is another's, or what it holds is not what was committed to.
    pub fn open(
        &self,
        participant: &str,
        session: &str,
        block: u32,
        identity: &Identity,
    ) -> Result<OpenBlock, AllocationError> {
        self.blocks(participant, session)?;
        let found = self.find(participant, session, block).ok_or_else(|| AllocationError::Block {
            participant: participant.to_owned(),
            session: session.to_owned(),
            block,
        })?;
        let failed = |what: String| AllocationError::Sealed { block, what };
        let sealed = from_hex(&found.sealed).ok_or_else(|| failed("its box is damaged".to_owned()))?;
        let plain = decrypt(identity, &sealed).map_err(failed)?;
        let open: OpenBlock = serde_json::from_slice(&plain)
            .map_err(|error| failed(format!("its box holds something else: {error}")))?;
        let fits = open.commitment() == found.commitment
            && open.study == self.study
            && (open.participant.as_str(), open.session.as_str(), open.block)
                == (participant, session, block);
        if fits {
            return Ok(open);
        }
        Err(AllocationError::Commitment(format!(
            "the box of block {block} does not hold what was committed to"
        )))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;

    const ORDER: [&str; 4] = ["steep", "sham", "flat, at half the amplitude", "steep"];

    fn orders() -> Vec<Order> {
        let order = |participant: &str, conditions: &[&str]| Order {
            participant: participant.to_owned(),
            session: "2".to_owned(),
            conditions: conditions.iter().map(|&c| c.to_owned()).collect(),
        };
        vec![order("P01", &ORDER), order("P02", &["sham", "steep"])]
    }

    fn sealed(recipients: &[Recipient]) -> Allocation {
        Allocation::seal("wm", "permuted", "2026-11-25T00:00:00Z".into(), &orders(), recipients).unwrap()
    }

    #[test]
    fn opens_block_by_block_with_either_key() {
        let (instrument, emergency) = (Identity::generate(), Identity::generate());
        let made = sealed(&[instrument.to_public(), emergency.to_public()]);
        let allocation = Allocation::parse(&made.to_text()).unwrap();
        assert_eq!(allocation, made);
        for identity in [&instrument, &emergency] {
            let open: Vec<String> =
                (1..=4).map(|n| allocation.open("P01", "2", n, identity).unwrap().condition).collect();
            assert_eq!(open, ORDER);
        }
        assert!(allocation.open("P01", "2", 1, &Identity::generate()).is_err());
        assert_eq!(allocation.blocks("P02", "2").unwrap(), 2);
        assert_eq!(allocation.recipients().unwrap().len(), 2);
        assert!(allocation.expect(made.commitment).is_ok() && allocation.expect(Hash::ZERO).is_err());
    }

    #[test]
    fn says_what_is_not_in_it() {
        let key = Identity::generate();
        let allocation = sealed(&[key.to_public()]);
        let text = allocation.blocks("P03", "2").unwrap_err().to_string();
        assert!(text.contains("P03") && text.contains("P01/2, P02/2"), "{text}");
        assert!(allocation.open("P01", "1", 1, &key).is_err());
        assert!(allocation.open("P02", "2", 3, &key).unwrap_err().to_string().contains("no block 3"));
    }

    #[test]
    fn boxes_tell_nothing_by_their_size() {
        // age pads its header by a random stanza, so sizes differ by chance alone: the content has one size.
        let key = Identity::generate();
        let allocation = sealed(&[key.to_public()]);
        for block in &allocation.blocks {
            assert_eq!(decrypt(&key, &from_hex(&block.sealed).unwrap()).unwrap().len(), BOX_BYTES);
        }
        let same: BTreeSet<Hash> = allocation.blocks.iter().map(|b| b.commitment).collect();
        assert_eq!(same.len(), 6, "salted: equal conditions have different commitments");
    }

    #[test]
    fn what_was_changed_does_not_pass() {
        let key = Identity::generate();
        let allocation = sealed(&[key.to_public()]);
        let mut swapped = allocation.clone();
        let (first, second) = (swapped.blocks[0].sealed.clone(), swapped.blocks[1].sealed.clone());
        (swapped.blocks[0].sealed, swapped.blocks[1].sealed) = (second, first);
        let swapped = Allocation::parse(&swapped.to_text()).unwrap();
        assert!(swapped.open("P01", "2", 1, &key).unwrap_err().to_string().contains("committed"));
        let mut exchanged = allocation.clone();
        exchanged.blocks.swap(0, 1);
        assert!(Allocation::parse(&exchanged.to_text()).unwrap_err().to_string().contains("commitment"));
        let renamed = allocation.to_text().replace("P02", "P03");
        assert!(Allocation::parse(&renamed).is_err());
        // A box forged with the public key alone, and its commitment with it: the whole has another commitment.
        let mut forged = allocation.clone();
        forged.blocks[0] =
            Allocation::seal("wm", "", String::new(), &orders(), &[key.to_public()]).unwrap().blocks[0]
                .clone();
        assert!(Allocation::parse(&forged.to_text()).is_err());
        assert!(Allocation::parse("{}").is_err());
    }

    #[test]
    fn refuses_names_that_cannot_be_told_apart() {
        let key = Identity::generate();
        let seal = |orders: &[Order]| Allocation::seal("wm", "", String::new(), orders, &[key.to_public()]);
        for bad in ["", " P", "P\n", "x\ty", &"long".repeat(26)] {
            let mut orders = orders();
            orders[0].participant = bad.to_owned();
            assert!(seal(&orders).is_err(), "{bad:?}");
        }
        let twice = [orders(), orders()].concat();
        assert!(seal(&twice).unwrap_err().to_string().contains("twice"));
        assert!(seal(&[]).is_err());
        assert!(Allocation::seal("wm", "", String::new(), &orders(), &[]).is_err(), "nobody could open it");
    }
}
