//! The working-memory task of a session's blocks: started with the session, each block allowed as its phase lets the task
//! begin, closed as it ends. Its markers move the session by a channel of this program, which nobody else can send on.

use std::path::PathBuf;

use crossbeam_channel::{Receiver, bounded};

use super::{Deed, Source};
use crate::{
    clock,
    task::{
        Ended, Marker, Running, TaskSettings,
        conduct::{Start, start},
        markers::STREAM,
        record::{Labels, TRIALS},
    },
};

/// Markers and words under way at most: a minute of a quick participant.
const UNDER_WAY: usize = 1_024;
/// A page that is not open is told again after so long, in s.
const REMIND_S: f64 = 30.0;

/// What the task of a session is made of.
#[derive(Clone, Debug)]
pub struct TaskOrder {
    /// The table `[task]`.
    pub settings: TaskSettings,
    /// The session's folder.
    pub folder: PathBuf,
    /// What its trials are made from.
    pub seed: u64,
    /// Whose it is. Its condition stays empty: unblinding tells it.
    pub labels: Labels,
    /// The block at which a resumed session goes on.
    pub resume: Option<u32>,
}

/// What a task has to say.
#[derive(Debug, Default)]
pub struct TaskNews {
    /// Markers with their stamps.
    pub markers: Vec<Marker>,
    /// For the operator.
    pub lines: Vec<String>,
}

/// See the module.
pub struct SessionTask {
    running: Running,
    markers: Receiver<Marker>,
    notices: Receiver<String>,
    /// The newest address of its page.
    url: String,
    block: Option<u32>,
    had_page: bool,
    remind_s: f64,
    over: bool,
}

impl SessionTask {
    /// Opens its files and its page.
    ///
    /// # Errors
    /// What stands in the way, with what to do.
    pub fn start(order: &TaskOrder) -> Result<Self, String> {
        let (send, markers) = bounded(UNDER_WAY);
        let (tell, notices) = bounded(UNDER_WAY);
        let running = start(Start {
            settings: order.settings.clone(),
            labels: order.labels.clone(),
            folder: order.folder.clone(),
            seed: order.seed,
            resume: order.resume.is_some() && order.folder.join(TRIALS).exists(),
            gated: true,
            port: 0,
            // The session's own marker stream has them.
            lsl: false,
            channel: Some(send),
            notices: Some(tell),
            flashes: 0,
        })?;
        if let Some(block) = order.resume {
            running.close(block.saturating_sub(1) as usize);
        }
        let remind_s = clock::now_s() + REMIND_S;
        let url = running.url.clone();
        Ok(Self { running, url, markers, notices, block: None, had_page: false, remind_s, over: false })
    }

    /// Where its markers come from, as a protocol's rules pin it.
    #[must_use]
    pub fn source() -> Source {
        Source { source_id: STREAM.to_owned(), host: crate::outlets::describe::hostname() }
    }

    /// The address of its page, which works once.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Whether the participant's page is open.
    #[must_use]
    pub fn has_page(&self) -> bool {
        self.running.has_page()
    }

    /// Sees what the session did: a block that begins is allowed, one that ends is closed.
    pub fn see(&mut self, deed: &Deed) {
        let Deed::Marker(text) = deed else { return };
        let parts: Vec<&str> = text.split('/').collect();
        let number = |text: &str| text.parse::<u32>().ok();
        match parts.as_slice() {
            ["block", n, "start"] => {
                self.block = number(n);
                self.running.allow(self.block.unwrap_or(0) as usize);
            }
            ["block", n, "broken" | "end"] => {
                self.block = None;
                self.running.close(number(n).unwrap_or(0) as usize);
            }
            _ => {}
        }
    }

    /// What it has sent and said since the last time.
    pub fn news(&mut self, now_s: f64) -> TaskNews {
        let mut news =
            TaskNews { markers: self.markers.try_iter().collect(), lines: self.notices.try_iter().collect() };
        let renewed = news
            .lines
            .iter()
            .rev()
            .find_map(|line| line.split(", ").find(|part| part.starts_with("http://")));
        if let Some(url) = renewed {
            self.url = url.to_owned();
        }
        let page = self.running.has_page();
        if page && !self.had_page {
            news.lines.push("the participant's page is open".to_owned());
        }
        self.had_page = page;
        let over = self.running.is_over();
        if over && !self.over {
            news.lines.push("the task is over".to_owned());
        }
        self.over = over;
        if page || over {
            self.remind_s = now_s + REMIND_S;
        } else if now_s >= self.remind_s {
            self.remind_s = now_s + REMIND_S;
            news.lines.push(match self.block {
                Some(block) => format!("block {block} runs, and the participant's page is not open"),
                None => "the participant's page is not open".to_owned(),
            });
        }
        news
    }

    /// Ends it, and gives what it came to.
    ///
    /// # Errors
    /// Its table could not be written.
    pub fn end(self) -> Result<Ended, String> {
        self.running.stop();
        self.running.join()
    }
}
