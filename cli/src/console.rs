//! Two streams: data on standard output, all else on standard error.

use std::io::{self, IsTerminal, Write};

use anstream::adapter::strip_str;
use anstream::{AutoStream, ColorChoice};
use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::exit::Exit;
use crate::failure::Failure;

/// How a command speaks.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Output")]
pub struct Manner {
    /// The form of what is printed on standard output.
    #[arg(long, global = true, value_enum, default_value_t = Format::Human, value_name = "FORMAT")]
    pub output: Format,
    /// When to colour; `auto` colours terminals alone and heeds `NO_COLOR`. Colours carry nothing by themselves.
    #[arg(long, global = true, value_enum, default_value_t = Colour::Auto, value_name = "WHEN")]
    pub color: Colour,
    /// Say less on standard error: errors alone.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Say more on standard error; twice says all.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

/// The form of a command's data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Text for people.
    Human,
    /// One JSON object a line, for programs; its fields are stable.
    Json,
}

/// When to colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Colour {
    /// On a terminal.
    Auto,
    /// Wherever the output goes.
    Always,
    /// Nowhere.
    Never,
}

/// Where a command speaks to.
#[derive(Clone, Debug)]
pub struct Console {
    manner: Manner,
}

impl Console {
    /// A console that speaks in this manner.
    pub const fn new(manner: Manner) -> Self {
        Self { manner }
    }

    /// Whether data go out as JSON.
    pub fn is_json(&self) -> bool {
        self.manner.output == Format::Json
    }

    /// Whether a person may be looking at the standard output.
    pub fn is_live(&self) -> bool {
        !self.is_json() && io::stdout().is_terminal()
    }

    /// Whether more is to be said.
    pub const fn is_verbose(&self) -> bool {
        self.manner.verbose > 0
    }

    /// Prints a result: `json` as one line for programs, `human` for people.
    pub fn data(&self, human: &str, json: &impl Serialize) -> Result<(), Failure> {
        if self.is_json() {
            let text = serde_json::to_string(json)
                .map_err(|error| Failure::new(Exit::Internal, "cannot write the result").because(error))?;
            self.print(&format!("{text}\n"))
        } else {
            self.print(human)
        }
    }

    /// Writes to standard output as it stands.
    pub fn print(&self, text: &str) -> Result<(), Failure> {
        let mut out = AutoStream::new(io::stdout(), self.choice(&io::stdout()));
        let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
        written.map_err(unwritable)
    }

    /// Writes a picture over the one before it, from the first line of the terminal on.
    pub fn repaint(&self, picture: &str) -> Result<(), Failure> {
        const HOME: &str = "\x1b[H";
        const WIPE_LINE: &str = "\x1b[K\n";
        const WIPE_BELOW: &str = "\x1b[J";
        let plain = self.choice(&io::stdout()) == ColorChoice::Never;
        let picture = if plain { strip_str(picture).to_string() } else { picture.to_owned() };
        let painted = format!("{HOME}{}{WIPE_BELOW}", picture.replace('\n', WIPE_LINE));
        let mut out = io::stdout();
        out.write_all(painted.as_bytes()).and_then(|()| out.flush()).map_err(unwritable)
    }

    /// Tells something that is not data, unless asked to be quiet.
    pub fn note(&self, text: &str) {
        if !self.manner.quiet {
            self.tell(text);
        }
    }

    /// Tells something that must be seen even by who asked for quiet.
    pub fn warn(&self, text: &str) {
        self.tell(text);
    }

    /// Tells why the command failed.
    pub fn fail(&self, failure: &Failure) {
        if failure.is_silent() {
            return;
        }
        if self.is_json() {
            self.tell(&failure.to_json().to_string());
        } else {
            self.tell(failure.to_text().trim_end());
        }
    }

    fn tell(&self, text: &str) {
        let mut err = AutoStream::new(io::stderr(), self.choice(&io::stderr()));
        // A closed standard error leaves nobody to be told.
        drop(writeln!(err, "{text}"));
    }

    fn choice(&self, stream: &impl anstream::stream::RawStream) -> ColorChoice {
        match self.manner.color {
            Colour::Auto => AutoStream::choice(stream),
            Colour::Always => ColorChoice::Always,
            Colour::Never => ColorChoice::Never,
        }
    }
}

/// Nobody reads any more: the end of a pipeline, and nothing to complain of.
fn unwritable(error: io::Error) -> Failure {
    if error.kind() == io::ErrorKind::BrokenPipe {
        return Failure::hung_up();
    }
    Failure::new(Exit::Internal, "cannot write to standard output").because(error)
}
