//! Reads every file of a directory: the least that a listing of it costs.

use std::{env, fs};

fn main() {
    let directory = env::args_os().nth(1).expect("a directory");
    let entries = fs::read_dir(directory).expect("a directory");
    let length = |entry: fs::DirEntry| fs::read(entry.path()).expect("a file").len();
    println!(
        "{}",
        entries
            .map(|entry| length(entry.expect("an entry")))
            .sum::<usize>()
    );
}
