//! The CPU time that the processes of a pipeline use, from `/proc`.
//!
//! Only processes of one stack count: their ids are in the files of its folder. Other stacks on the same
//! machine count as other work.

use rollcall_tests::instance::Instance;
use std::path::Path;

/// The parts of a pipeline whose CPU time is counted, in the order of all arrays here.
pub(crate) const PARTS: [&str; 5] = ["api", "worker", "postgres", "rabbitmq", "load"];

/// Linux counts CPU time in `/proc` in hundredths of a second (`USER_HZ`).
const MICROSECONDS_PER_TICK: u64 = 10_000;

/// The processes of a pipeline: its two programs, and the first process of each server.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Processes {
    api: u32,
    worker: u32,
    postgres: u32,
    rabbitmq: u32,
}

impl Processes {
    /// The running services of a stack, which `./dev` has started.
    pub(crate) fn of_services(instance: &Instance) -> Self {
        let [api, worker] = ["api.pid", "worker.pid"].map(|file| pid_in(&instance.dir().join(file)));
        Self::of_programs(instance, api, worker)
    }

    /// Two programs that use the servers of a stack.
    pub(crate) fn of_programs(instance: &Instance, api: u32, worker: u32) -> Self {
        let [postgres, rabbitmq] =
            ["postgres/postmaster.pid", "rabbitmq/pid"].map(|file| pid_in(&instance.dir().join(file)));
        Self { api, worker, postgres, rabbitmq }
    }

    /// The CPU times until now.
    ///
    /// # Panics
    /// If a process has ended.
    pub(crate) fn times(&self) -> Times {
        let stats = all_stats();
        let [api, worker, postgres, rabbitmq] = [self.api, self.worker, self.postgres, self.rabbitmq].map(|root| {
            assert!(stats.iter().any(|stat| stat.pid == root), "process {root} has ended");
            tree(&stats, root)
        });
        let this = std::process::id();
        let load = stats.iter().find(|stat| stat.pid == this).map_or(0, |stat| stat.own);
        let machine = parse_machine(&std::fs::read_to_string("/proc/stat").unwrap()).unwrap();
        Times { parts: [api, worker, postgres, rabbitmq, load], machine }
    }
}

/// The process id in the first line of a file.
fn pid_in(file: &Path) -> u32 {
    let content = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    content.lines().next().unwrap().trim().parse().unwrap()
}

/// CPU times since the start of each process and of the machine, in ticks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    parts: [u64; PARTS.len()],
    machine: Machine,
}

/// The CPU time of all processors since the start of the machine, in ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Machine {
    total: u64,
    idle: u64,
}

/// The CPU time of one measurement.
#[derive(Debug, Clone)]
pub(crate) struct Cost {
    /// Microseconds per create of each part.
    pub(crate) parts: [f64; PARTS.len()],
    /// The idle share of the machine's CPU time.
    pub(crate) idle: f64,
    /// The share that no part used: other work on the machine, and the kernel's own threads.
    pub(crate) others: f64,
}

impl Cost {
    /// The cost of a number of creates between two times.
    #[expect(clippy::cast_precision_loss, reason = "ticks and counts of calls are far below 2^52")]
    pub(crate) fn between(before: &Times, after: &Times, creates: u64) -> Self {
        let mut ticks = [0; PARTS.len()];
        for (part, ticks) in ticks.iter_mut().enumerate() {
            *ticks = after.parts[part].saturating_sub(before.parts[part]);
        }
        let total = after.machine.total - before.machine.total;
        // The kernel can correct the idle time downwards.
        let idle = after.machine.idle.saturating_sub(before.machine.idle);
        let others = total.saturating_sub(idle).saturating_sub(ticks.iter().sum());
        let share = |ticks: u64| ticks as f64 / total.max(1) as f64;
        let per_create = |ticks: u64| (ticks * MICROSECONDS_PER_TICK) as f64 / creates.max(1) as f64;
        Self { parts: ticks.map(per_create), idle: share(idle), others: share(others) }
    }

    /// Microseconds per create of all parts but the load generator.
    pub(crate) fn without_load(&self) -> f64 {
        self.parts[..PARTS.len() - 1].iter().sum()
    }
}

/// A process, and its CPU time in ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stat {
    pid: u32,
    parent: u32,
    own: u64,
    /// The time of children that have ended and for which the process has waited.
    ended_children: u64,
}

/// All processes of the machine. A process that ends meanwhile is left out.
fn all_stats() -> Vec<Stat> {
    let folders = std::fs::read_dir("/proc").unwrap();
    let contents = folders.filter_map(|folder| std::fs::read_to_string(folder.ok()?.path().join("stat")).ok());
    contents.filter_map(|content| parse_stat(&content)).collect()
}

/// Parses `/proc/<pid>/stat` (`proc_pid_stat(5)`). The name of the program can contain spaces and parentheses.
fn parse_stat(content: &str) -> Option<Stat> {
    let (pid, rest) = content.split_once(" (")?;
    let fields: Vec<&str> = rest.rsplit_once(") ")?.1.split_whitespace().collect();
    // The manual counts from 1, and the first two fields are cut off.
    let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
    Some(Stat {
        pid: pid.parse().ok()?,
        parent: field(4)?.try_into().ok()?,
        own: field(14)? + field(15)?,
        ended_children: field(16)? + field(17)?,
    })
}

/// Parses the first line of `/proc/stat`: user, nice, system, idle, iowait, irq, softirq, steal. A processor that
/// waits for a disk is idle. The times of guests, which follow, are part of user and nice.
fn parse_machine(content: &str) -> Option<Machine> {
    let fields = content.lines().next()?.strip_prefix("cpu ")?.split_whitespace().take(8);
    let ticks = fields.map(|field| field.parse().ok()).collect::<Option<Vec<u64>>>()?;
    Some(Machine { total: ticks.iter().sum(), idle: ticks.get(3)? + ticks.get(4)? })
}

/// The CPU time of a process and all its descendants. A child that ends moves its time to its parent, so the sum
/// stays the same.
fn tree(stats: &[Stat], root: u32) -> u64 {
    let own: u64 = stats.iter().filter(|stat| stat.pid == root).map(|stat| stat.own + stat.ended_children).sum();
    let children = stats.iter().filter(|stat| stat.parent == root && stat.pid != root);
    own + children.map(|child| tree(stats, child.pid)).sum::<u64>()
}

#[cfg(test)]
mod tests {
    use super::{Cost, Machine, Stat, Times, all_stats, parse_machine, parse_stat, tree};
    use test_case::test_case;

    #[test_case("bash"; "a usual name")]
    #[test_case("a b) (S 1"; "a name with spaces and parentheses")]
    fn a_stat_file_is_parsed(name: &str) {
        let content =
            format!("42 ({name}) S 7 42 42 0 -1 4194560 3460 43173 0 32 5 2 43 18 20 0 1 0 1693973 5124096\n");
        assert_eq!(parse_stat(&content), Some(Stat { pid: 42, parent: 7, own: 7, ended_children: 61 }));
    }

    #[test_case("" ; "empty")]
    #[test_case("42 (bash) S 7 42" ; "cut off")]
    fn a_malformed_stat_file_is_left_out(content: &str) {
        assert_eq!(parse_stat(content), None);
    }

    #[test]
    fn the_time_of_the_machine_includes_waiting_for_disks_as_idle() {
        let content = "cpu  100 20 30 400 50 0 6 7 8 9\ncpu0 1 1 1 1 1 1 1 1 1 1\n";
        assert_eq!(parse_machine(content), Some(Machine { total: 613, idle: 450 }));
        assert_eq!(parse_machine("cpu0 1 2 3 4 5 6 7 8"), None);
    }

    #[test]
    fn a_tree_has_all_descendants_and_no_other_process() {
        let stat = |pid, parent, own, ended_children| Stat { pid, parent, own, ended_children };
        let stats =
            [stat(10, 1, 1, 100), stat(11, 10, 2, 0), stat(12, 11, 4, 0), stat(20, 1, 8, 0), stat(21, 20, 16, 0)];
        assert_eq!([tree(&stats, 10), tree(&stats, 20), tree(&stats, 30)], [107, 24, 0]);
    }

    #[test]
    fn costs_are_differences_per_create() {
        let times = |parts, total, idle| Times { parts, machine: Machine { total, idle } };
        let before = times([1, 2, 3, 4, 5], 1_000, 600);
        let after = times([11, 22, 33, 44, 55], 1_400, 700);
        let cost = Cost::between(&before, &after, 1_000);
        let shown = format!("{:?} {} {} {}", cost.parts, cost.without_load(), cost.idle, cost.others);
        assert_eq!(shown, "[100.0, 200.0, 300.0, 400.0, 500.0] 1000 0.25 0.375");
    }

    #[test]
    fn this_process_is_found() {
        assert!(all_stats().iter().any(|stat| stat.pid == std::process::id()));
    }
}
