//! A fit that shows how far it is, and that Ctrl-C stops.

use std::io::IsTerminal;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use indicatif::{ProgressBar, ProgressStyle};
use sapwood::observe::{Observer, Progress};

use crate::{Failure, Outcome};

/// A fit is under way, and will look at [`STOP`] after its step.
static WATCHING: AtomicBool = AtomicBool::new(false);
static STOP: AtomicBool = AtomicBool::new(false);

/// From here on the first Ctrl-C during a fit asks it to stop; at any other time, and the second time, it ends the process.
pub(crate) fn catch_ctrl_c() {
    let handler = || {
        if !WATCHING.load(SeqCst) || STOP.swap(true, SeqCst) {
            std::process::exit(130);
        }
        // A step can be long.
        if std::io::stderr().is_terminal() {
            eprintln!("\nsapwood: stopping after this step; Ctrl-C once more to end at once");
        }
    };
    // Without a handler, Ctrl-C ends the process at once: no reason to fail.
    let _ = ctrlc::set_handler(handler);
}

fn stopped() -> bool {
    STOP.load(SeqCst)
}

/// How a command ends whose fit gives what it has when Ctrl-C stops it; `saved` is the file that has it.
pub(crate) fn end(saved: Option<&Path>) -> Outcome {
    match saved {
        _ if !stopped() => Ok(()),
        Some(path) => Err(Failure::Stopped(format!("stopped; the model so far is in {}", path.display()))),
        None => Err(Failure::Stopped("stopped; nothing was kept, for want of --save".to_owned())),
    }
}

/// Runs `fit` under an observer with a progress bar on standard error, where that is a terminal.
pub(crate) fn watch<R>(fit: impl FnOnce(&mut dyn Observer) -> R) -> R {
    let mut watch = Watch { bar: ProgressBar::new_spinner(), stage: "" };
    WATCHING.store(true, SeqCst);
    let result = fit(&mut watch);
    WATCHING.store(false, SeqCst);
    watch.bar.finish_and_clear();
    result
}

struct Watch {
    bar: ProgressBar,
    stage: &'static str,
}

impl Observer for Watch {
    fn observe(&mut self, progress: &Progress) -> ControlFlow<()> {
        if self.stage != progress.stage {
            self.stage = progress.stage;
            let style = match progress.total {
                Some(_) => "{prefix:13} [{bar:30}] {pos}/{len} {msg} {eta}",
                None => "{prefix:13} {spinner} {pos} {msg} {elapsed}",
            };
            // The templates are ours, so they are valid; if not, the default will do.
            if let Ok(style) = ProgressStyle::with_template(style) {
                self.bar.set_style(style.progress_chars("=> "));
            }
            self.bar.reset();
            self.bar.set_prefix(progress.stage);
        }
        if let Some(total) = progress.total {
            self.bar.set_length(total);
        }
        if let Some(objective) = progress.objective {
            self.bar.set_message(format!("{objective:.6}"));
        }
        self.bar.set_position(progress.done);
        if stopped() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}
