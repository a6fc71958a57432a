//! The working-memory task: a page in the participant's browser, served and kept by this program.
//!
//! In: [`settings`] (the `[task]` table), a seed. Out: `trials.csv` (each answer on disk as it comes), the plan of
//! all trials on disk before the first is shown, and markers, by LSL and by a channel of whoever started it.
//!
//! [`start`] opens the files and the server and gives back the address; one thread ([`conduct`]) talks to the page,
//! [`http`] lets only that page in, [`progress`] decides what comes next (pure), [`record`] writes. The page
//! (`page.html`) draws and stamps; it never learns the condition.

pub mod answers;
pub mod calibrate;
pub mod clock;
pub mod conduct;
pub mod http;
pub mod markers;
pub mod progress;
pub mod record;
pub mod settings;
pub mod texts;

pub use conduct::{Ended, Running, start};
pub use markers::Marker;
pub use settings::TaskSettings;
