//! Recordings and spectra in, tables of exponents out: no thread has a deadline here, memory has a bound.
//!
//! * [`preset`] holds the settings of published studies, [`settings`] joins them with what a user asked for.
//! * [`spectra`] reads spectra made elsewhere, [`fit`] fits them: `tras fit`.
//! * [`recording`] takes one recording through the same conditioner and estimator as the live loop, on as many
//!   threads as it is given ([`lane`]); [`deletion`] drops poor fits afterwards; [`table`] writes the rows;
//!   [`current`] says what samples of our own recordings saw of the current, [`through`] estimates under it;
//!   [`epochs`] cuts windows at [`markers`];
//!   [`batch`] does many recordings at once and remembers which are done ([`ledger`]): `tras estimate`.
//! * [`scores`] reads trials of working memory and scores them: `tras score`; [`study`] joins sessions: `tras study`.

pub mod batch;
pub mod current;
pub mod deletion;
pub mod epochs;
pub mod fit;
pub mod lane;
pub mod ledger;
pub mod markers;
pub mod preset;
pub mod recording;
pub mod scores;
pub mod settings;
pub mod spectra;
pub mod study;
pub mod table;
pub mod through;
