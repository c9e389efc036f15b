package main

import (
	"github.com/grafana/grafana-foundation-sdk/go/common"
)

// The day before. Until five in the morning it is one day earlier, because the new night is not over.
const beforeFive = "now-29h"

// Last night, and the day so far.
func today() *page {
	const noNight = "No night since yesterday evening"
	page := newPage("oura-today", "Oura today", "Last night, and the day so far", beforeFive+"/d+18h", "now-5h/d")
	page.refresh = "15m"
	return page.
		mark(
			events("Workouts", "workouts", activityColour).on(),
			events("Tags", "tags", neutral).on(),
			events("Sessions", "sessions", recoveryColour),
			events("Rest mode (readings differ)", "rest_mode", attention).on(),
		).
		add(24, 5, panel{
			title:       "Scores",
			description: "Oura's newest scores, with the last 30 days behind them.",
			empty:       "No score in the last 30 days",
			last:        "30d",
			queries:     []query{metrics("day", "days.sleep_score", "days.readiness_score", "days.activity_score")},
			kind: numbers().
				GraphMode(common.BigValueGraphModeArea).
				ColorMode(common.BigValueColorModeValue).
				Thresholds(just(bands)).
				ColorScheme(byThresholds()),
			fields: []field{
				named("days.sleep_score").title("Sleep"),
				named("days.readiness_score").title("Readiness"),
				named("days.activity_score").title("Activity"),
			},
		}).
		addNightNumbers("Last night", noNight).
		add(10, 9, panel{
			title:       "Compared with your usual",
			description: "Last night against the 60 nights before, the most unusual value first, in spreads (σ) from the median.",
			empty:       "Needs a night in this range and 14 nights before it",
			queries:     []query{table("today/unusual")},
			kind:        rows(),
			fields: []field{
				named("Measurement").width(185),
				named("Difference").unit("suffix:σ").decimals(1).
					set("min", -4).set("max", 4).
					set("custom.cellOptions", map[string]string{"type": "color-text"}).
					steps(from(attention, step(-2, "text"), step(2, attention))),
			},
		}).
		add(7, 9, panel{
			title:       "Readiness",
			description: "Oura's contributors of the readiness score, the lowest first.",
			empty:       "Oura has no readiness score yet",
			queries:     []query{table("today/readiness")},
			kind:        scoreBars(),
		}).
		add(7, 9, panel{
			title:       "Sleep",
			description: "Oura's contributors of the sleep score, the lowest first.",
			empty:       "Oura has no sleep score yet",
			queries:     []query{table("today/sleep")},
			kind:        scoreBars(),
		}).
		add(24, 4, panel{
			title:       "Sleep stages",
			description: "Stages of the main sleep, every five minutes.",
			empty:       noNight,
			queries:     []query{table("night/stages")},
			kind:        states().Legend(legend()),
			fields:      []field{named("Stage").mapped(stages)},
		}).
		add(24, 7, panel{
			title:       "Heart rate at night",
			description: "Every quarter of an hour, with the middle half of the 28 nights before at the same time after going to bed, from seven nights on.",
			empty:       noNight,
			queries:     []query{series("night/compared", "$series", "sleep.heart_rate", "$title", "Heart rate")},
			kind:        lines().Unit("suffix:bpm").Decimals(0),
			fields:      usual("Heart rate", workoutHeart, "suffix:bpm"),
		}).
		add(24, 8, panel{
			title:       "Heart rate",
			description: "All heart rates of this range, by source.",
			empty:       "No heart rate yet",
			queries:     []query{series("heart/by_source")},
			kind:        lines().Unit("suffix:bpm").Decimals(0).LineWidth(1),
			fields: []field{
				named("Sleep").colour(asleepHeart), named("Rest").colour(restingHeart),
				named("Awake").colour(awakeHeart), named("Workout").colour(workoutHeart),
			},
		}).
		add(7, 4, panel{
			title:       "Day so far",
			description: "Steps of the day in progress, and active energy in percent of Oura's goal. Oura's activity day starts at 4:00.",
			empty:       "No activity yet",
			queries:     []query{table("today/activity")},
			kind:        numbersOf("Steps", "Goal"),
			fields: []field{
				named("Steps").unit("locale").decimals(0),
				named("Goal").unit("percent").decimals(0),
			},
		}).
		add(7, 4, panel{
			title:       "Movement so far",
			description: "Time at medium and high intensity, and time sitting.",
			empty:       "No activity yet",
			queries:     []query{table("today/activity")},
			kind:        numbersOf("Brisk", "Sitting"),
			fields: []field{
				named("Brisk").unit("dthms"),
				named("Sitting").unit("dthms"),
			},
		}).
		add(10, 4, panel{
			title:       "Stress so far",
			description: "Time in Oura's zones of high stress and of high recovery, and Oura's summary of the day.",
			empty:       "No stress data yet",
			queries:     []query{table("today/stress")},
			kind:        numbersOf("High stress", "High recovery", "Day"),
			fields: []field{
				named("High stress").unit("dthms"),
				named("High recovery").unit("dthms"),
				named("Day").mapped(stressDays),
			},
		}).
		add(12, 6, panel{
			title:       "Events",
			description: "Workouts, sessions and tags in this range.",
			empty:       "No event in this range",
			queries:     []query{table("today/events")},
			kind:        rows(),
			fields:      []field{named("When").width(165)},
		}).
		add(6, 6, panel{
			title:       "Data",
			description: "The last sync, and the newest day with data.",
			empty:       "Not connected yet",
			queries:     []query{table("today/data")},
			kind:        numbersOf("Last sync", "Newest day"),
			fields:      []field{named("Last sync").unit("dateTimeFromNow")},
		}).
		add(6, 6, panel{
			title:       "Ring and sync",
			description: "The charge of the ring, and the number of collections that fail.",
			empty:       "Not connected yet",
			queries:     []query{table("today/data")},
			kind:        numbersOf("Battery", "Collections failing"),
			fields: []field{
				named("With trouble").title("Collections failing").steps(from("text", step(1, attention))),
				named("Battery").unit("percent").steps(from(attention, step(20, "text"))),
			},
		})
}
