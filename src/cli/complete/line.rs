//! Parses the words before the one that is completed, as far as clap would accept them.

use clap::{Arg, ArgAction, Command};

/// The words of an incomplete command line, parsed.
pub struct Line<'a> {
    /// The command that they name.
    pub command: &'a Command,
    /// The option whose value is the next word.
    pub pending: Option<&'a Arg>,
    /// True after `--`: no more options follow.
    pub is_escaped: bool,
    /// The number of positional arguments that are complete.
    positionals: usize,
    /// The arguments that were given, by id, each with its value. That of a flag is empty.
    given: Vec<(&'a str, String)>,
}

impl<'a> Line<'a> {
    /// Parses the words after the name of the program. Call `build` on `program` before.
    pub fn read(program: &'a Command, words: &[String]) -> Line<'a> {
        let mut line = Line {
            command: program,
            pending: None,
            is_escaped: false,
            positionals: 0,
            given: Vec::new(),
        };
        for word in words {
            line.add(word);
        }
        line
    }

    /// Returns the positional argument whose value is the next word.
    pub fn positional(&self) -> Option<&'a Arg> {
        let index = self.positionals + 1;
        let mut positionals = self.command.get_positionals();
        positionals.find(|arg| arg.get_index() == Some(index))
    }

    /// Returns the option with a long name.
    pub fn long(&self, name: &str) -> Option<&'a Arg> {
        let mut args = self.command.get_arguments();
        args.find(|arg| arg.get_long() == Some(name))
    }

    /// Returns the option with a value in a word of short options, such as `-qo`, and the text after
    /// it.
    pub fn short_with_value<'w>(&self, word: &'w str) -> Option<(&'a Arg, &'w str)> {
        let flags = word.strip_prefix('-')?;
        flags.char_indices().find_map(|(at, flag)| {
            let arg = self.short(flag).filter(|arg| takes_value(arg))?;
            Some((arg, &flags[at + flag.len_utf8()..]))
        })
    }

    /// Returns the first value of an argument.
    pub fn value(&self, id: &str) -> Option<&str> {
        self.values(id).next()
    }

    /// Returns the values of an argument.
    pub fn values(&self, id: &str) -> impl Iterator<Item = &str> {
        let given = self.given.iter().filter(move |(given, _)| *given == id);
        given.map(|(_, value)| value.as_str())
    }

    /// Returns true if an option is accepted here: it was not given yet, or it can be repeated.
    pub fn accepts(&self, arg: &Arg) -> bool {
        let can_repeat = matches!(arg.get_action(), ArgAction::Append | ArgAction::Count);
        can_repeat || self.value(arg.get_id().as_str()).is_none()
    }

    fn add(&mut self, word: &str) {
        let is_option = word.len() > 1 && word.starts_with('-');
        if let Some(arg) = self.pending.take()
            && (!is_option || arg.is_allow_hyphen_values_set())
        {
            self.give(arg, word);
        } else if self.is_escaped || !is_option {
            self.add_plain(word);
        } else if word == "--" {
            self.is_escaped = true;
        } else if let Some(option) = word.strip_prefix("--") {
            self.add_long(option);
        } else {
            self.add_short(word);
        }
    }

    /// Adds the name of a command, or a positional argument.
    fn add_plain(&mut self, word: &str) {
        if self.command.has_subcommands() {
            let found = self.command.find_subcommand(word);
            self.command = found.unwrap_or(self.command);
        } else if let Some(arg) = self.positional() {
            self.give(arg, word);
            if !is_list(arg) {
                self.positionals += 1;
            }
        }
    }

    fn add_long(&mut self, option: &str) {
        let (name, value) = match option.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (option, None),
        };
        match self.long(name) {
            Some(arg) if value.is_none() && takes_value(arg) => self.pending = Some(arg),
            Some(arg) => self.give(arg, value.unwrap_or_default()),
            None => {}
        }
    }

    fn add_short(&mut self, word: &str) {
        let with_value = self.short_with_value(word);
        let value = with_value.map_or("", |(_, value)| value);
        for flag in word[1..word.len() - value.len()].chars() {
            match self.short(flag) {
                Some(arg) if !takes_value(arg) => self.give(arg, ""),
                _ => {}
            }
        }
        match with_value {
            Some((arg, "")) => self.pending = Some(arg),
            Some((arg, value)) => self.give(arg, value.strip_prefix('=').unwrap_or(value)),
            None => {}
        }
    }

    fn short(&self, flag: char) -> Option<&'a Arg> {
        let mut args = self.command.get_arguments();
        args.find(|arg| arg.get_short() == Some(flag))
    }

    fn give(&mut self, arg: &'a Arg, value: &str) {
        let id = arg.get_id().as_str();
        match arg.get_value_delimiter() {
            Some(delimiter) => {
                let values = value.split(delimiter);
                self.given
                    .extend(values.map(|value| (id, value.to_owned())));
            }
            None => self.given.push((id, value.to_owned())),
        }
    }
}

/// Returns true if an option has a value.
fn takes_value(arg: &Arg) -> bool {
    arg.get_num_args().is_some_and(|range| range.takes_values())
}

/// Returns true if a positional argument takes several words.
fn is_list(arg: &Arg) -> bool {
    arg.get_num_args()
        .is_some_and(|range| range.max_values() > 1)
}
