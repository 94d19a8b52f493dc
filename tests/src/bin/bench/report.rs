//! The tables of results for creates.

use std::fmt::{Display, Write};

use crate::cpu::{Cost, PARTS};
use crate::statistics::{Figures, ROUNDS_FOR_A_SPREAD, ratio};

/// The share of CPU time above which other work disturbs a measurement. The kernel's own threads stay below it.
const DISTURBED: f64 = 0.1;

/// One measurement of creates.
#[derive(Debug)]
pub(crate) struct Run {
    /// Creates per second.
    pub(crate) per_second: f64,
    /// The median latency in milliseconds.
    pub(crate) p50: f64,
    /// The latency in milliseconds that 1 % of the creates exceed.
    pub(crate) p99: f64,
    /// The CPU time.
    pub(crate) cost: Cost,
}

/// The measurements of two pipelines or builds: the base, and the one that is compared with it.
#[derive(Debug)]
pub(crate) struct Results {
    names: [String; 2],
    rows: Vec<Row>,
}

/// The measurements with one number of callers.
#[derive(Debug)]
struct Row {
    callers: usize,
    runs: [Vec<Run>; 2],
}

impl Results {
    /// Results without measurements.
    pub(crate) fn new(names: [&str; 2], callers: &[usize]) -> Self {
        let rows = callers.iter().map(|&callers| Row { callers, runs: [Vec::new(), Vec::new()] });
        Self { names: names.map(str::to_owned), rows: rows.collect() }
    }

    /// Adds a measurement of the base (`side` 0) or of the other side (1).
    pub(crate) fn add(&mut self, row: usize, side: usize, run: Run) {
        self.rows[row].runs[side].push(run);
    }

    /// Both tables, and notes on what to doubt.
    pub(crate) fn tables(&self) -> String {
        let mut text = self.rates() + "\n" + &self.costs() + "\n";
        if text.contains('~') {
            text += "~ no ratio: a spread (max - min) is larger than the difference of the medians, or there are ";
            let _ = writeln!(text, "fewer than {ROUNDS_FOR_A_SPREAD} rounds");
        }
        let mut runs = self.rows.iter().flat_map(|row| row.runs.iter().flatten());
        if runs.any(|run| run.cost.others > DISTURBED) {
            text += "! other work on the machine has disturbed a measurement: see the column others\n";
        }
        text
    }

    /// Creates per second and latencies.
    fn rates(&self) -> String {
        let mut text = line(&"callers", "", ["creates/s (min–max)", "p50 ms (min–max)", "p99 ms (min–max)"]);
        for row in &self.rows {
            let columns = row.figures([|run| run.per_second, |run| run.p50, |run| run.p99]);
            for (name, [rate, p50, p99]) in self.names.iter().zip(&columns) {
                text += &line(&row.callers, name, [spread(rate, 0), spread(p50, 2), spread(p99, 2)]);
            }
            let [base, compared] = &columns;
            text +=
                &line(&row.callers, "ratio", [0, 1, 2].map(|column| percent(ratio(&compared[column], &base[column]))));
        }
        text
    }

    /// CPU times.
    fn costs(&self) -> String {
        let mut text = "CPU microseconds per create, and shares of the machine's CPU time\n".to_owned();
        let heads = ["all but load (min–max)", "idle", "others"];
        let [api, worker, postgres, rabbitmq, load] = PARTS;
        text += &cost_line(&"callers", "", [api, worker, postgres, rabbitmq, load], heads);
        for row in &self.rows {
            for (name, runs) in self.names.iter().zip(&row.runs) {
                let part = |part: usize| format!("{:.0}", figures(runs, |run| run.cost.parts[part]).median());
                let share = |of: fn(&Run) -> f64| percent(Some(figures(runs, of).median()));
                let sum = spread(&figures(runs, |run| run.cost.without_load()), 0);
                let shares = [sum, share(|run| run.cost.idle), share(|run| run.cost.others)];
                text += &cost_line(&row.callers, name, [0, 1, 2, 3, 4].map(part), shares);
            }
            let [[base], [compared]] = row.figures([|run| run.cost.without_load()]);
            let shares = [percent(ratio(&compared, &base)), String::new(), String::new()];
            text += &cost_line(&row.callers, "ratio", [""; PARTS.len()].map(str::to_owned), shares);
        }
        text
    }
}

impl Row {
    /// The figures of both sides, for each quantity.
    fn figures<const N: usize>(&self, quantities: [fn(&Run) -> f64; N]) -> [[Figures; N]; 2] {
        [0, 1].map(|side: usize| quantities.map(|quantity| figures(&self.runs[side], quantity)))
    }
}

/// One quantity of all rounds.
fn figures(runs: &[Run], quantity: impl Fn(&Run) -> f64) -> Figures {
    Figures::new(runs.iter().map(quantity))
}

/// A median with the smallest and the largest figure.
fn spread(figures: &Figures, digits: usize) -> String {
    format!("{:.digits$} ({:.digits$}–{:.digits$})", figures.median(), figures.min(), figures.max())
}

/// A share or a ratio. `~` stands for a ratio that the spreads do not allow.
fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "~".to_owned(), |share| format!("{:.0} %", 100.0 * share))
}

/// One line of the table of rates.
fn line(callers: &impl Display, name: &str, columns: [impl AsRef<str>; 3]) -> String {
    let mut text = format!("{callers:>7} {name:<10}");
    for column in columns {
        let _ = write!(text, " | {:>22}", column.as_ref());
    }
    text.trim_end().to_owned() + "\n"
}

/// One line of the table of CPU times.
fn cost_line(
    callers: &impl Display,
    name: &str,
    parts: [impl AsRef<str>; PARTS.len()],
    shares: [impl AsRef<str>; 3],
) -> String {
    let mut text = format!("{callers:>7} {name:<10} |");
    for part in parts {
        let _ = write!(text, " {:>8}", part.as_ref());
    }
    let [sum, idle, others] = shares;
    let _ = write!(text, " | {:>22} | {:>6} {:>6}", sum.as_ref(), idle.as_ref(), others.as_ref());
    text.trim_end().to_owned() + "\n"
}

#[cfg(test)]
mod tests {
    use super::{Results, Run};
    use crate::cpu::Cost;

    fn run(per_second: f64, p50: f64, p99: f64) -> Run {
        let cost = Cost { parts: [100.0, 50.0, 30.0, 20.0, 10.0], idle: 0.25, others: 0.05 };
        Run { per_second, p50, p99, cost }
    }

    /// Three rounds of both sides, with 1 and with 64 callers.
    fn results() -> Results {
        let mut results = Results::new(["bare", "rollcall"], &[1, 64]);
        for row in 0..2 {
            for p99 in [5.0, 9.0, 7.0] {
                results.add(row, 0, run(200.0, 2.0, p99));
                results.add(row, 1, run(100.0, 4.0, p99 + 1.0));
            }
        }
        results
    }

    #[test]
    fn each_number_of_callers_has_both_sides_and_their_ratio() {
        let tables = results().tables();
        let lines: Vec<String> =
            tables.lines().skip(1).take(3).map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        assert_eq!(
            lines,
            [
                "1 bare | 200 (200–200) | 2.00 (2.00–2.00) | 7.00 (5.00–9.00)",
                "1 rollcall | 100 (100–100) | 4.00 (4.00–4.00) | 8.00 (6.00–10.00)",
                "1 ratio | 50 % | 200 % | ~",
            ]
        );
        assert!(tables.contains("~ no ratio"), "{tables}");
    }

    #[test]
    fn cpu_times_have_a_column_for_each_part() {
        let tables = results().tables();
        let lines: Vec<_> = tables.lines().filter(|line| line.trim_start().starts_with("64 bare")).collect();
        let cost: Vec<_> = lines[1].split_whitespace().collect();
        assert_eq!(cost.join(" "), "64 bare | 100 50 30 20 10 | 200 (200–200) | 25 % 5 %");
    }

    #[test]
    fn notes_are_absent_if_there_is_nothing_to_doubt() {
        let mut results = Results::new(["bare", "rollcall"], &[1]);
        for _ in 0..3 {
            results.add(0, 0, run(200.0, 2.0, 5.0));
            results.add(0, 1, run(100.0, 4.0, 9.0));
        }
        // The sides differ in CPU time too.
        results.rows[0].runs[1].iter_mut().for_each(|run| run.cost.parts[0] = 300.0);
        let tables = results.tables();
        assert!(!tables.contains('~') && !tables.contains('!'), "{tables}");
    }

    #[test]
    fn other_work_is_noted() {
        let mut results = results();
        results.rows[1].runs[0][2].cost.others = 0.2;
        assert!(results.tables().contains("! other work"));
    }
}
