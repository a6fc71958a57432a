//! Opens one block's condition at a time, and refuses an allocation that does not fit the session.

use age::x25519::Identity;

use crate::session::{
    allocation::{Allocation, OpenBlock},
    hash::Hash,
    protocol::{Given, Protocol},
};

/// See the module.
pub struct Opener {
    sealed: Option<(Allocation, Identity, String)>,
}

impl Opener {
    /// For a session without an allocation.
    #[must_use]
    pub fn none() -> Self {
        Self { sealed: None }
    }

    /// For a participant's session.
    ///
    /// # Errors
    /// Another study's, an unexpected commitment, a participant or session that is not in it, another number of blocks,
    /// or a condition that the protocol cannot play.
    pub fn new(
        allocation: Allocation,
        commitment: Option<&str>,
        identity: Identity,
        participant: &str,
        protocol: &Protocol,
    ) -> Result<Self, String> {
        if allocation.study != protocol.study {
            return Err(format!(
                "the allocation is of study {:?}, the protocol of {:?}: name the protocol's own",
                allocation.study, protocol.study
            ));
        }
        if let Some(text) = commitment {
            let expected: Hash = text.parse().map_err(|_| {
                format!(
                    "protocol.commitment {text:?} is no commitment: copy the one that `tras allocate` printed"
                )
            })?;
            allocation.expect(expected).map_err(|error| error.to_string())?;
        }
        let blocks = allocation.blocks(participant, &protocol.session).map_err(|error| error.to_string())?;
        let wanted = protocol.phases.iter().filter(|phase| phase.given == Given::Allocated).count();
        if blocks as usize != wanted || protocol.blocks() != blocks {
            return Err(format!(
                "the allocation has {blocks} blocks for session {:?}, the protocol {wanted}: they must be as many",
                protocol.session
            ));
        }
        let unknown =
            allocation.conditions.iter().find(|name| protocol.conditions.iter().all(|c| c.name != **name));
        if let Some(name) = unknown {
            return Err(format!(
                "the allocation has condition {name:?}, which the protocol cannot play: define it"
            ));
        }
        Ok(Self { sealed: Some((allocation, identity, participant.to_owned())) })
    }

    /// The allocation.
    #[must_use]
    pub fn allocation(&self) -> Option<&Allocation> {
        self.sealed.as_ref().map(|(allocation, ..)| allocation)
    }

    /// The condition of a block: its place in the protocol, and what the box held.
    ///
    /// # Errors
    /// The box cannot be opened, or holds what the protocol does not define.
    pub fn open(&self, block: u32, protocol: &Protocol) -> Result<(usize, OpenBlock), String> {
        let (allocation, identity, participant) =
            self.sealed.as_ref().ok_or_else(|| "the session has no allocation".to_owned())?;
        let open = allocation
            .open(participant, &protocol.session, block, identity)
            .map_err(|error| error.to_string())?;
        let place = protocol.conditions.iter().position(|c| c.name == open.condition);
        // Which condition it is must not be told.
        let place = place.ok_or_else(|| "its condition is not defined by the protocol".to_owned())?;
        Ok((place, open))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::config::Config;
    use crate::session::allocation::Order;

    fn protocol() -> Protocol {
        let text = include_str!("../../../configs/wm-session-2.toml");
        let config = Config::from_str(text, "wm-session-2.toml").unwrap();
        config.protocol.clone().unwrap().build(&config).unwrap()
    }

    fn allocation(study: &str, order: &[&str], identity: &Identity) -> Allocation {
        let conditions = order.iter().map(|name| (*name).to_owned()).collect();
        let order = Order { participant: "P01".into(), session: "2".into(), conditions };
        Allocation::seal(study, "list", "2026-11-25T00:00:00.000Z".into(), &[order], &[identity.to_public()])
            .unwrap()
    }

    #[test]
    fn an_allocation_that_does_not_fit_is_refused_with_what_to_do() {
        let (own, other) = (Identity::generate(), Identity::generate());
        let twelve = ["steep", "flat", "sham"].repeat(4);
        let of = |allocation: Allocation, commitment: Option<&str>, participant: &str| {
            Opener::new(allocation, commitment, own.clone(), participant, &protocol())
                .err()
                .unwrap_or_default()
        };
        let good = allocation("wm", &twelve, &own);
        let commitment = good.commitment.to_string();
        assert_eq!(of(good.clone(), Some(&commitment), "P01"), "");
        assert!(of(good.clone(), Some(&"0".repeat(64)), "P01").contains("commitment"));
        assert!(of(good.clone(), Some("abc"), "P01").contains("tras allocate"));
        assert!(of(good, None, "P02").contains("P02"));
        assert!(of(allocation("other", &twelve, &own), None, "P01").contains("study"));
        assert!(of(allocation("wm", &twelve[..9], &own), None, "P01").contains("9 blocks"));
        let zap = ["zap", "flat", "sham"].repeat(4);
        assert!(of(allocation("wm", &zap, &own), None, "P01").contains("cannot play"));
        let foreign = allocation("wm", &twelve, &other);
        let opener = Opener::new(foreign, None, own.clone(), "P01", &protocol()).unwrap();
        assert!(opener.open(1, &protocol()).is_err_and(|what| what.contains("key")));
        let opener =
            Opener::new(allocation("wm", &twelve, &own), None, own.clone(), "P01", &protocol()).unwrap();
        assert_eq!(
            opener.open(3, &protocol()).map(|(place, open)| (place, open.condition)),
            Ok((2, "sham".into()))
        );
    }
}
