//! The panels on *Insights* recover the effects that the simulator gives its person.

use ringside::datasource::{DataSource, DataSources};
use ringside::time::{Clock, Tz};

use crate::common::at;
use crate::common::world::{World, first_cell};

const TAGS: &str = include_str!("../../provisioning/generate/sql/insights/tags.sql");
const DAYS: i64 = 1000;

/// A person with a long history of nights and tags, without the other collections.
async fn person(folder: &std::path::Path) -> (World, DataSources, DataSource) {
    let clock = Clock::starting_at(at("2026-05-01T12:00:00Z"), 1.0);
    let mut world = World::new(DAYS, clock).await;
    world.settings.timezone = Tz::named("Europe/Vienna").name().to_owned();
    world.settings.collections = vec!["sleep".to_owned(), "enhanced_tag".to_owned()];
    let datasources = DataSources::open(world.environment(folder)).unwrap();
    let datasource = world.connected(&datasources).await;
    (world, datasources, datasource)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn alcohol_and_fevers_of_the_simulator_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let (_world, datasources, datasource) = person(folder.path()).await;

    // The simulator lowers HRV after each drink.
    let alcohol = format!(
        "SELECT \"Tag\" || ' ' || (\"HRV\" BETWEEN -20 AND -4) || ' ' || (\"Nights\" > 50) || ' '
                || (q < 0.001) || ' ' || (\"95 % interval\" LIKE '-% to -%')
         FROM ({TAGS}) WHERE \"Tag\" = 'alcohol'"
    );
    assert_eq!(first_cell(&datasource, &alcohol).await, "alcohol 1 1 1 1");

    // A fever is a temperature of at least 0.5 °C above normal on at least four days in a row, with
    // a peak of 0.8 °C. This reads the raw values only. The first fortnight has no usual values.
    let found = first_cell(
        &datasource,
        "WITH warm AS (
             SELECT day, readiness_temperature_deviation AS temperature,
                    julianday(day) - row_number() OVER (ORDER BY day) AS run
             FROM sleep WHERE type = 'long_sleep' AND readiness_temperature_deviation >= 0.5
         ), fevers AS (
             SELECT min(day) AS first, count(*) AS days, max(temperature) AS peak FROM warm
             GROUP BY run
             HAVING count(*) >= 4 AND max(temperature) >= 0.8
                AND min(day) > (SELECT date(min(day), '+20 days') FROM sleep)
         )
         SELECT count(*) || ' fevers, ' || sum(level = 'clear') || ' found: '
                || group_concat(format('%s %s of %d days (%+.2f °C, %+.1f %+.1f %+.1f)', first,
                                       level, days, deviation, heart, hrv, breath), '; ')
         FROM fevers LEFT JOIN signs ON signs.day = fevers.first",
    )
    .await;
    println!("{found}");
    let words: Vec<&str> = found.split_whitespace().collect();
    let (fevers, recovered): (u32, u32) = (words[0].parse().unwrap(), words[2].parse().unwrap());
    assert!(fevers >= 2 && recovered == fevers, "{found}");

    // Few other nights have clear signs: at most three a year without alcohol and fever.
    let others = first_cell(
        &datasource,
        "SELECT CAST(count(*) AS TEXT) FROM signs
         WHERE level = 'clear' AND deviation < 0.35
           AND NOT EXISTS (SELECT 1 FROM tag_days WHERE tag = 'alcohol'
                           AND night BETWEEN date(signs.day, '-1 day') AND signs.day)",
    )
    .await;
    println!("{others} other nights");
    assert!(others.parse::<u32>().unwrap() <= 8, "{others}");
    drop(datasource);
    datasources.shutdown().await;
}
