//! Converts the Markdown of a guide to the roff of its manual page. Supports what the guides use:
//! headings, paragraphs, lists, code blocks, tables, inline code, emphasis and links.

use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd};
use std::fmt::Write as _;

/// The longest line of running text, in bytes.
const WIDTH: usize = 78;

/// The maximum length of a short table cell, in characters. Longer cells become text blocks, and their
/// column takes the remaining width.
const SHORT_CELL: usize = 24;

/// Returns the manual page of a guide. The guide begins with `# NAME(7) - PURPOSE`; `title` is what
/// follows the section in the `.TH` line: date, source and manual.
pub fn page(markdown: &str, title: &str) -> String {
    let mut page = Page {
        title: title.to_owned(),
        ..Page::default()
    };
    for event in Parser::new_ext(markdown, Options::ENABLE_TABLES) {
        page.add(event);
    }
    page.roff
}

#[derive(Default)]
struct Page {
    title: String,
    roff: String,
    /// The paragraph, heading or cell that is being converted, in roff.
    text: String,
    /// The next number of each open list, the innermost last; `None` for a list with bullets.
    lists: Vec<Option<u64>>,
    /// The macro that begins the next paragraph; empty right after a heading or a list mark.
    paragraph: &'static str,
    is_code: bool,
    rows: Vec<Vec<String>>,
    /// The address to print after a link, if it is on the web.
    address: Option<String>,
}

impl Page {
    fn add(&mut self, event: Event) {
        match event {
            Event::Start(tag) => self.start(&tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) if self.is_code => self.code(&text),
            Event::Text(text) => self.text += &escaped(&text),
            Event::Code(code) => {
                let code = escaped(&code).replace('-', "\\-");
                let _ = write!(self.text, "\\fB{code}\\fR");
            }
            Event::SoftBreak => self.text.push(' '),
            other => panic!("a guide must not use {other:?}"),
        }
    }

    fn start(&mut self, tag: &Tag) {
        match tag {
            Tag::Paragraph => {
                if !self.paragraph.is_empty() {
                    self.line(self.paragraph);
                }
            }
            Tag::Heading { .. } | Tag::TableCell => {}
            Tag::TableHead | Tag::TableRow => self.rows.push(Vec::new()),
            Tag::CodeBlock(_) => {
                self.is_code = true;
                self.line(".IP");
                self.line(".nf");
            }
            Tag::List(first) => {
                assert!(self.lists.is_empty(), "a guide must not nest lists");
                self.lists.push(*first);
            }
            Tag::Item => {
                match self.lists.last_mut() {
                    Some(Some(number)) => {
                        let _ = writeln!(self.roff, ".IP {number}. 4");
                        *number += 1;
                    }
                    _ => self.line(".IP \\(bu 2"),
                }
                self.paragraph = "";
            }
            Tag::Table(_) => self.rows.clear(),
            Tag::Strong => self.text += "\\fB",
            Tag::Emphasis => self.text += "\\fI",
            Tag::Link { dest_url, .. } => {
                let is_web = dest_url.starts_with("http");
                self.address = is_web.then(|| format!(" <{}>", escaped(dest_url)));
                self.text += if is_web { "" } else { "\\fB" };
            }
            other => panic!("a guide must not use {other:?}"),
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Paragraph => self.flush(),
            TagEnd::Item => {
                self.flush();
                self.paragraph = ".IP";
            }
            TagEnd::List(_) => {
                self.lists.pop();
                self.paragraph = ".PP";
            }
            TagEnd::Heading(level) => self.heading(level),
            TagEnd::CodeBlock => {
                self.is_code = false;
                self.line(".fi");
                self.paragraph = ".PP";
            }
            TagEnd::TableCell => {
                let cell = std::mem::take(&mut self.text);
                self.rows.last_mut().expect("a row").push(cell);
            }
            TagEnd::Table => self.table(),
            TagEnd::Strong | TagEnd::Emphasis => self.text += "\\fR",
            TagEnd::Link => match self.address.take() {
                Some(address) => self.text += &address,
                None => self.link(),
            },
            TagEnd::TableHead | TagEnd::TableRow => {}
            other => panic!("a guide must not use {other:?}"),
        }
    }

    /// Ends a link. In the name of a manual page, the name is bold and the section is not.
    fn link(&mut self) {
        match self.text.rfind('(') {
            Some(section) if self.text.ends_with(')') => self.text.insert_str(section, "\\fR"),
            _ => self.text += "\\fR",
        }
    }

    fn heading(&mut self, level: HeadingLevel) {
        let text = std::mem::take(&mut self.text);
        match level {
            HeadingLevel::H1 => {
                let (name, purpose) = text.split_once("(7) - ").expect("NAME(7) - PURPOSE");
                let (title, upper) = (self.title.clone(), name.to_uppercase());
                let name = name.replace('-', "\\-");
                self.line("'\\\" t");
                self.line(&format!(".TH {upper} 7 {title}"));
                self.line(".ad l");
                self.line(".nh");
                self.line(".SH NAME");
                self.line(&format!("{name} \\- {purpose}"));
                self.line(".SH DESCRIPTION");
            }
            HeadingLevel::H2 => self.line(&format!(".SH \"{}\"", text.to_uppercase())),
            HeadingLevel::H3 => self.line(&format!(".SS \"{text}\"")),
            _ => panic!("a guide must not have headings of a fourth level"),
        }
        self.paragraph = "";
    }

    /// Writes lines unchanged. The source of a long line is continued on the next line.
    fn code(&mut self, text: &str) {
        for line in text.lines() {
            let (mut folded, mut width) = (String::new(), 0);
            for c in line.chars() {
                let c = escaped(c.encode_utf8(&mut [0; 4])).replace('-', "\\-");
                if width + c.len() > WIDTH {
                    folded += "\\\n";
                    width = 0;
                }
                width += c.len();
                folded += &c;
            }
            let folded = protected(&folded);
            self.line(&folded);
        }
    }

    /// Writes the collected text, wrapped to the usual width.
    fn flush(&mut self) {
        let text = std::mem::take(&mut self.text);
        if !text.is_empty() {
            self.roff += &wrapped(&text);
            self.paragraph = ".PP";
        }
    }

    fn table(&mut self) {
        let rows = std::mem::take(&mut self.rows);
        let length = |cell: &String| cell.replace("\\fB", "").replace("\\fR", "").len();
        let columns = (0..rows[0].len())
            .map(|column| rows.iter().any(|row| length(&row[column]) > SHORT_CELL));
        let columns: Vec<bool> = columns.collect();
        let layout = |font: &str| {
            let column = |long: &bool| format!("l{font}{}", if *long { "x" } else { "" });
            columns.iter().map(column).collect::<Vec<_>>().join(" ")
        };
        if !self.paragraph.is_empty() {
            self.line(".PP");
        }
        self.line(".TS");
        self.line(&layout("b"));
        self.line(&format!("{}.", layout("")));
        for row in rows {
            let cells = row.iter().zip(&columns).map(|(cell, long)| {
                if *long {
                    format!("T{{\n{}T}}", wrapped(cell))
                } else {
                    protected(cell)
                }
            });
            let cells: Vec<_> = cells.collect();
            self.line(&cells.join("\t"));
        }
        self.line(".TE");
        self.paragraph = ".PP";
    }

    fn line(&mut self, line: &str) {
        self.roff += line;
        self.roff.push('\n');
    }
}

/// Escapes the characters that roff interprets.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        match c {
            '\\' => escaped += "\\e",
            '\'' => escaped += "\\(aq",
            '`' => escaped += "\\(ga",
            '^' => escaped += "\\(ha",
            '~' => escaped += "\\(ti",
            c if c.is_ascii() => escaped.push(c),
            c => {
                let _ = write!(escaped, "\\[u{:04X}]", u32::from(c));
            }
        }
    }
    escaped
}

/// Protects a line that begins like a roff request.
fn protected(line: &str) -> String {
    if line.starts_with(['.', '\'']) {
        format!("\\&{line}")
    } else {
        line.to_owned()
    }
}

/// Wraps a text to the usual width.
fn wrapped(text: &str) -> String {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("a line");
        if !line.is_empty() && line.len() + 1 + word.len() > WIDTH {
            lines.push(word.to_owned());
        } else {
            *line += if line.is_empty() { "" } else { " " };
            *line += word;
        }
    }
    lines.iter().map(|line| protected(line) + "\n").collect()
}
