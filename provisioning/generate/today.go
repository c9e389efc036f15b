package main

import (
	"github.com/grafana/grafana-foundation-sdk/go/common"
)

// Last night, and the day so far.
func today() *page {
	page := newPage("oura-today", "Today", "Last night, and the day so far", "now-1d/d+18h", "now/d")
	page.refresh = "15m"
	return page.
		mark(
			events("Workouts", "workouts", activityColour).on(),
			events("Tags", "tags", neutral).on(),
			events("Sessions", "sessions", recoveryColour),
			events("Rest mode", "rest_mode", attention).on(),
		).
		add(24, 4, panel{
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
		}).
		add(12, 4, panel{
			title:       "Last night",
			description: "The main sleep of the night in this range.",
			empty:       "No night since yesterday evening",
			queries:     []query{table("today/last_night")},
			kind:        numbers().GraphMode(common.BigValueGraphModeNone),
			fields: []field{
				named("Asleep").unit("dthms"),
				named("Efficiency").unit("percent"),
				named("To fall asleep").unit("dthms"),
				named("HRV").unit("suffix: ms").decimals(0),
				named("Lowest heart rate").unit("suffix: bpm").decimals(0),
				named("Breathing").unit("suffix: /min").decimals(1),
			},
		}).
		add(12, 4, panel{
			title:       "Today so far",
			description: "Activity of the day in progress. Oura's activity day starts at 4:00.",
			empty:       "No activity yet",
			queries:     []query{table("today/activity")},
			kind:        numbers().GraphMode(common.BigValueGraphModeNone),
			fields: []field{
				named("Steps").unit("locale").decimals(0),
				named("Active energy").unit("suffix: kcal").decimals(0),
				named("Brisk movement").unit("dthms"),
				named("Sitting").unit("dthms"),
			},
		}).
		add(24, 4, panel{
			title:       "Sleep stages",
			description: "Stages of the main sleep, every five minutes.",
			empty:       "No night since yesterday evening",
			queries:     []query{series("night/stages")},
			kind:        states().Legend(legend()),
			fields:      []field{named("Stage").mapped(stages)},
		}).
		add(24, 7, panel{
			title:       "Heart rate at night",
			description: "Every quarter of an hour, with the middle half of the 28 nights before at the same time after going to bed.",
			empty:       "No night since yesterday evening",
			queries:     []query{series("night/compared", "$series", "sleep.heart_rate", "$title", "Heart rate")},
			kind:        lines().Unit("suffix: bpm").Decimals(0),
			fields: []field{
				named("Heart rate").colour(sleepColour),
				named("Usual").colour(neutral).dashed(),
				named("Upper").colour(neutral).fillTo("Lower"),
				named("Lower").colour(neutral).noLine(),
			},
		})
}
