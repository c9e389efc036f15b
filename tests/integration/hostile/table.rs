//! Runs every attack on `serve` and on the plugin, and holds the limits. `HOSTILE_FULL=1
//! UPDATE_DOCS=1` runs them with the program's own limits and writes the table of the documents.
//! `HOSTILE_FINDING=M9` runs the attacks of one finding only.

use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::attacks::{Attack, Finding, Send, findings, long_request};
use super::targets::{
    Kind, Target, cpu_time, data_folder, is_full, memory, peak_memory, reset_peak, time_until_cut,
};

/// Callers that send the same attack at once.
const CALLERS: usize = 3;

/// Programs under attack at once.
const PARALLEL: usize = 2;

/// The bound of every time, which a busy machine keeps.
const MAX_TIME: Duration = Duration::from_secs(10);

/// The bound of the processor's time after an answer, or after the clients have left. Unlike the
/// time on the clock, it does not depend on other work of the machine.
const MAX_WORK_AFTER: Duration = Duration::from_secs(2);

/// The time limit of one query, which an attack may use up.
const QUERY_TIMEOUT: Duration = Duration::from_secs(30);

/// The bound of the memory of a program under attack, in bytes.
const MAX_MEMORY: u64 = 1 << 30;

/// The same with the program's own limits.
const MAX_MEMORY_FULL: u64 = 2_500 << 20;

/// The figures of one attack, or the worst of several.
#[derive(Clone, Copy, Debug, Default)]
struct Figures {
    memory: u64,
    answered: Duration,
    neighbour: Duration,
    /// How long the program was busy after the answer, and the processor's time for that.
    busy: Duration,
    work: Duration,
    ended: Duration,
}

impl Figures {
    fn worst(self, other: Figures) -> Figures {
        Figures {
            memory: self.memory.max(other.memory),
            answered: self.answered.max(other.answered),
            neighbour: self.neighbour.max(other.neighbour),
            busy: self.busy.max(other.busy),
            work: self.work.max(other.work),
            ended: self.ended.max(other.ended),
        }
    }

    fn cells(&self) -> String {
        format!(
            "{} MB | {:.1} s | {} ms | {:.1} s | {:.1} s",
            self.memory >> 20,
            self.answered.as_secs_f64(),
            self.neighbour.as_millis(),
            self.busy.as_secs_f64(),
            self.ended.as_secs_f64()
        )
    }
}

/// The attacks of one finding on one program.
#[derive(Default)]
struct Run {
    attacks: Vec<(String, Figures)>,
    /// How long calls of a well-behaved caller took before the attacks, and during them.
    idle: Vec<Duration>,
    others: Vec<Duration>,
}

/// The time within which 99 of 100 calls ended, in milliseconds.
fn p99(times: &[Duration]) -> u128 {
    let mut times = times.to_vec();
    times.sort();
    times.get((times.len() * 99).div_ceil(100).saturating_sub(1)).map_or(0, Duration::as_millis)
}

/// Calls of a well-behaved caller before the attacks.
const IDLE_CALLS: usize = 100;

/// Runs one attack and measures. Adds the times of a well-behaved caller to `others`.
async fn attack(
    target: &Arc<Target>,
    attack: &Attack,
    others: &mut Vec<Duration>,
) -> Option<(String, Figures)> {
    let pid = target.pid();
    reset_peak(pid);
    let before = memory(pid);
    let callers = match attack.send {
        Send::Panels(_) | Send::Raw(..) => 1,
        _ => CALLERS,
    };
    let begun = Instant::now();
    let mut sending: JoinSet<Option<String>> = JoinSet::new();
    let shared: Arc<Attack> = Arc::new(attack.clone());
    for _ in 0..callers {
        let (target, attack) = (Arc::clone(target), Arc::clone(&shared));
        sending.spawn(async move { target.send(&attack.send).await });
    }
    let mut figures = Figures::default();
    let earlier = others.len();
    let mut outcome = None;
    let mut answers = Box::pin(async {
        let mut last = None;
        while let Some(answer) = sending.join_next().await {
            last = answer.unwrap();
        }
        last
    });
    loop {
        let asked = Instant::now();
        tokio::select! {
            biased;
            answer = &mut answers => {
                outcome = answer.or(outcome);
                break;
            }
            () = target.neighbour() => others.push(asked.elapsed()),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    figures.answered = begun.elapsed();
    let asked = Instant::now();
    target.neighbour().await;
    others.push(asked.elapsed());
    (figures.busy, figures.work) = time_until_idle(pid).await;
    figures.memory = peak_memory(pid).saturating_sub(before);
    figures.neighbour = others[earlier..].iter().copied().max().unwrap_or_default();
    outcome.map(|outcome| (outcome, figures))
}

/// How long the process is still busy, and the processor's time for that.
async fn time_until_idle(pid: u32) -> (Duration, Duration) {
    let window = Duration::from_millis(100);
    let (begun, work) = (Instant::now(), cpu_time(pid));
    loop {
        let (before, since) = (cpu_time(pid), begun.elapsed());
        tokio::time::sleep(window).await;
        if cpu_time(pid) - before <= window / 4 || since > 3 * MAX_TIME {
            return (since, before - work);
        }
    }
}

/// Sends every attack of a finding to one program, then all at once while the program ends.
async fn run(kind: Kind, finding: &Finding, source: &Path) -> Run {
    let target = Arc::new(Target::start(kind, source).await);
    target.neighbour().await;
    let mut run = Run::default();
    for _ in 0..IDLE_CALLS {
        let asked = Instant::now();
        target.neighbour().await;
        run.idle.push(asked.elapsed());
    }
    let mut sent = Vec::new();
    for one in &finding.attacks {
        if let Some((outcome, figures)) = attack(&target, one, &mut run.others).await {
            println!("{} {kind:?} {}: {} → {outcome}", finding.name, one.name, figures.cells());
            run.attacks.push((one.name.to_owned(), figures));
            sent.push(one.clone());
        }
    }
    if run.attacks.is_empty() {
        return run;
    }
    let pid = target.pid();
    let mut sending = JoinSet::new();
    for one in sent.into_iter().take(6) {
        let target = Arc::clone(&target);
        sending.spawn(async move { target.send(&one.send).await });
    }
    let busy = cpu_time(pid) + Duration::from_millis(50);
    let begun = Instant::now();
    while cpu_time(pid) < busy && begun.elapsed() < Duration::from_secs(2) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let ended = target.end().await;
    sending.abort_all();
    for (_, figures) in &mut run.attacks {
        figures.ended = ended;
    }
    run
}

#[tokio::test(flavor = "multi_thread")]
async fn attacks_stay_within_memory_and_time() {
    let source = data_folder();
    let turns = Arc::new(Semaphore::new(if is_full() { 1 } else { PARALLEL }));
    let only = std::env::var("HOSTILE_FINDING").ok();
    let is_chosen = |finding: &Finding| only.as_ref().is_none_or(|name| name == finding.name);
    let mut running = JoinSet::new();
    for kind in [Kind::Serve, Kind::Plugin] {
        for (index, finding) in findings().into_iter().filter(is_chosen).enumerate() {
            let (source, turns) = (source.path().to_owned(), Arc::clone(&turns));
            running.spawn(async move {
                let _turn = turns.acquire_owned().await.unwrap();
                let run = run(kind, &finding, &source).await;
                (index, kind, finding.name, finding.text, run)
            });
        }
    }
    let mut results = running.join_all().await;
    results.sort_by_key(|(index, kind, ..)| (*index, *kind));
    let mut table = String::from(
        "| finding | program | attacks | idle p99 | others p99 | memory | answered | others | \
         busy after | ends |\n|---|---|---|---|---|---|---|---|---|---|\n",
    );
    let mut count = 0;
    for (_, kind, name, text, run) in &results {
        let figures = &run.attacks;
        if figures.is_empty() {
            continue;
        }
        count += figures.len();
        let worst = figures.iter().fold(Figures::default(), |worst, (_, one)| worst.worst(*one));
        let program = match kind {
            Kind::Serve => "`serve`",
            Kind::Plugin => "plugin",
        };
        writeln!(
            table,
            "| {name}: {text} | {program} | {} | {} ms | {} ms | {} |",
            figures.len(),
            p99(&run.idle),
            p99(&run.others),
            worst.cells()
        )
        .unwrap();
    }
    println!("{count} attacks\n{table}");
    if std::env::var_os("UPDATE_DOCS").is_some() && is_full() && only.is_none() {
        super::write_table(&table);
    }
    assert!(only.is_some() || count >= 60, "{count} attacks");
    let (max_memory, max_answered) = if is_full() {
        (MAX_MEMORY_FULL, QUERY_TIMEOUT + MAX_TIME)
    } else {
        (MAX_MEMORY, MAX_TIME)
    };
    for (_, kind, name, _, run) in &results {
        for (attack, figures) in &run.attacks {
            let cells = figures.cells();
            assert!(
                figures.memory <= max_memory
                    && figures.answered <= max_answered
                    && figures.neighbour <= MAX_TIME
                    && figures.busy <= MAX_TIME
                    && figures.work <= MAX_WORK_AFTER
                    && figures.ended <= MAX_TIME,
                "{name} {kind:?} {attack}: {cells}, {:?} of work after the answer",
                figures.work
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_neither_send_nor_read_are_cut() {
    let source = data_folder();
    let target = Target::start(Kind::Serve, source.path()).await;
    let long = long_request();
    let (silent, unread) = tokio::join!(
        time_until_cut(&target, b"GET /api/status HTTP/1.1\r\nx: "),
        time_until_cut(&target, &long),
    );
    assert!(silent < Duration::from_secs(30), "{silent:?}");
    assert!(unread < Duration::from_secs(45), "{unread:?}");
}
