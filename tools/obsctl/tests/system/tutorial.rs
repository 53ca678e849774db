//! The tutorial runs as written.

use std::process::{Command, Stdio};

use crate::support;

/// A command and the output that follows it.
struct Step {
    line: usize,
    command: String,
    expected: Vec<String>,
}

/// The steps of all `console` blocks.
fn steps(text: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut inside = false;
    for (number, line) in text.lines().enumerate() {
        match line {
            "```console" => inside = true,
            "```" => inside = false,
            _ if !inside => {}
            _ => match (line.strip_prefix("$ "), steps.last_mut()) {
                (Some(command), _) => steps.push(Step {
                    line: number + 1,
                    command: command.to_owned(),
                    expected: Vec::new(),
                }),
                (None, Some(step)) => step.expected.push(line.to_owned()),
                (None, None) => panic!("line {}: output before any command", number + 1),
            },
        }
    }
    steps
}

/// Whether `line` is `pattern`, whose `[..]` stand for anything.
fn is_like(line: &str, pattern: &str) -> bool {
    let Some((start, rest)) = pattern.split_once("[..]") else { return line == pattern };
    let Some(mut tail) = line.strip_prefix(start) else { return false };
    loop {
        if is_like(tail, rest) {
            return true;
        }
        let mut chars = tail.chars();
        if chars.next().is_none() {
            return false;
        }
        tail = chars.as_str();
    }
}

/// Whether the lines are like the patterns; a pattern of only `[..]` stands for any lines.
fn are_like(lines: &[&str], patterns: &[String]) -> bool {
    match patterns.split_first() {
        None => lines.is_empty(),
        Some((any, rest)) if any == "[..]" => {
            (0..=lines.len()).any(|at| are_like(&lines[at..], rest))
        }
        Some((pattern, rest)) => lines
            .split_first()
            .is_some_and(|(line, lines)| is_like(line, pattern) && are_like(lines, rest)),
    }
}

/// Runs all commands in one shell and gives each one's output.
fn run(steps: &[Step]) -> Vec<String> {
    let folder = support::Folder::new("tutorial");
    // Between the outputs stands a line that no program prints.
    const MARK: &str = "\u{1}";
    let script: String =
        steps.iter().map(|step| format!("{}\necho '{MARK}'\n", step.command)).collect();
    let search_path = std::env::var_os("PATH").unwrap();
    let folders = [support::programs()].into_iter().chain(std::env::split_paths(&search_path));
    let search_path = std::env::join_paths(folders).unwrap();
    let shell = Command::new("bash")
        .args(["-c", &format!("exec 2>&1; trap 'kill $(jobs -p)' EXIT\n{script}")])
        .current_dir(&folder.0)
        .env("PATH", search_path)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8(shell.stdout).unwrap();
    said.split(&format!("{MARK}\n")).map(str::to_owned).collect()
}

#[test]
fn the_tutorial_runs_as_written() {
    let text = include_str!("../../../../docs/observability/tutorial.md");
    let steps = steps(text);
    assert!(steps.len() > 20, "the tutorial has lost its commands");
    let outputs = run(&steps);
    for (step, output) in steps.iter().zip(&outputs) {
        let lines: Vec<&str> = output.lines().collect();
        assert!(
            are_like(&lines, &step.expected),
            "line {}: `{}` printed\n{output}\nand not\n{}",
            step.line,
            step.command,
            step.expected.join("\n"),
        );
    }
    assert_eq!(outputs.len(), steps.len() + 1, "the shell ended early");
}

#[test]
fn a_tutorial_that_is_wrong_is_found_wrong() {
    assert!(is_like("a 17 b", "a [..] b"));
    assert!(!is_like("a 17 c", "a [..] b"));
    let patterns = ["x".to_owned(), "[..]".to_owned(), "z".to_owned()];
    assert!(are_like(&["x", "y", "y", "z"], &patterns));
    assert!(!are_like(&["x", "y"], &patterns));
    let steps = steps("```console\n$ echo one\ntwo\n```\n");
    let outputs = run(&steps);
    assert_eq!(outputs[0], "one\n");
    assert!(!are_like(&["one"], &steps[0].expected));
}
