package main

import (
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
)

// The last weeks at a glance.
func overview() *page {
	scores := []field{
		named("days.sleep_score").title("Sleep").colour(sleepColour),
		named("days.readiness_score").title("Readiness").colour(readinessColour),
		named("days.activity_score").title("Activity").colour(activityColour),
	}
	return newPage("oura-overview", "Oura overview", "The last weeks at a glance", "now-30d", "now").
		with(
			choice("every", "Each point is", "day", "week", "month"),
			compareVariable(),
			scoreVariable(),
		).
		mark(
			events("Workouts", "workouts", activityColour),
			events("Tags", "tags", neutral),
			events("Rest mode (readings differ)", "rest_mode", attention).on(),
		).
		add(8, 5, panel{
			title:       "Average scores",
			description: "Oura's scores, averaged over this range, with the daily scores behind them.",
			empty:       "No score in this range",
			queries:     []query{metrics("day", "days.sleep_score", "days.readiness_score", "days.activity_score")},
			kind:        averages(),
			fields:      scores,
		}).
		add(10, 5, panel{
			title:       "Average night",
			description: "Averages of the nights in this range, with the values of each night behind them.",
			empty:       "No night in this range",
			queries:     []query{metrics("day", "days.total_sleep_duration", "days.average_hrv", "days.lowest_heart_rate")},
			kind:        averages(),
			fields: []field{
				named("days.total_sleep_duration").title("Asleep").unit("dthms").colour(sleepColour),
				named("days.average_hrv").title("HRV at night").decimals(0).colour(sleepColour),
				named("days.lowest_heart_rate").title("Lowest heart rate").decimals(0).colour(workoutHeart),
			},
		}).
		add(6, 5, panel{
			title:       "Average steps",
			description: "Steps a day in this range, with the steps of each day behind them.",
			empty:       "No activity in this range",
			queries:     []query{metrics("day", "days.steps")},
			kind:        averages(),
			fields:      []field{named("days.steps").title("Steps").unit("locale").colour(activityColour)},
		}).
		add(14, 9, panel{
			title:       "Scores",
			description: "Oura's daily scores as averages of seven days. Dashed lines mark good (70) and optimal (85).",
			empty:       "No score in this range",
			queries:     []query{metrics("day", "days.sleep_score", "days.readiness_score", "days.activity_score").mean(7)},
			kind: lines().
				Min(40).
				Max(100).
				ShowPoints(common.VisibilityModeNever).
				Thresholds(just(from("transparent", step(70, neutral), step(85, optimal)))).
				ThresholdsStyle(common.NewGraphThresholdsStyleConfigBuilder().Mode(common.GraphThresholdsStyleModeDashed)),
			fields: scores,
		}).
		add(10, 9, panel{
			title:       "Compared with the range before",
			description: "Averages of this range and of the range of the same length before it.",
			empty:       "No data in this range",
			queries:     []query{table("overview/compared")},
			kind:        rows(),
			fields: []field{
				named("Metric").width(180),
				named("This range").unit("locale"),
				named("Range before").unit("locale"),
				// Without colours: more is better for some metrics only.
				named("Change").unit("percent").decimals(1),
				named("Days").decimals(0),
			},
		}).
		add(24, 6, panel{
			title: "Calendar",
			description: "One cell a day and one column a week, for the score selected above, in Oura's bands: optimal from 85, good from 70. " +
				"The last year of this range at most.",
			empty:   "No score in this range",
			queries: []query{table("overview/calendar")},
			kind:    cells().Thresholds(just(bands)).ColorScheme(byThresholds()).ShowValue(common.VisibilityModeAuto),
		}).
		add(24, 5, panel{
			title:       "Days",
			description: "Scores of each day, for the last year of this range at most.",
			empty:       "No data in this range",
			opensNight:  true,
			queries:     []query{table("overview/days")},
			kind:        cells().Thresholds(just(bands)).ColorScheme(byThresholds()).ShowValue(common.VisibilityModeAuto),
		}).
		add(24, 5, panel{
			title:       "Stress and resilience",
			description: "Oura's summary and level of each day, for the last year of this range at most.",
			empty:       "No data in this range",
			opensNight:  true,
			queries:     []query{table("overview/states")},
			// A text that is wider than its cell would be cut.
			kind: cells().Legend(legend()),
			fields: []field{
				named("Stress").mapped(stressDays),
				named("Resilience").mapped(resilience),
			},
		}).
		add(8, 8, panel{
			title:       "Sleep",
			description: "Hours of each sleep stage in the main sleep.",
			empty:       "No night in this range",
			queries:     []query{series("sleep/stages")},
			kind:        stackedBars().Unit("suffix:h").Decimals(1),
			fields: []field{
				named("Deep").colour(deep), named("REM").colour(rem),
				named("Light").colour(light), named("Awake").colour(awake),
			},
		}).
		add(8, 8, panel{
			title:       "HRV at night",
			description: "Average heart rate variability (RMSSD) of each night, with the usual range: the median of the 60 days before, ± 1.4826 × the median absolute deviation.",
			empty:       "No night in this range",
			opensNight:  true,
			queries:     []query{series("overview/usual", "$column", "average_hrv", "$title", "HRV"), before("nights", "average_hrv")},
			kind:        lines().Unit("suffix:ms").Decimals(0),
			fields:      usualAndBefore("HRV", sleepColour, "suffix:ms"),
		}).
		add(8, 8, panel{
			title:       "Lowest heart rate",
			description: "Lowest heart rate of each night, with the usual range: the median of the 60 days before, ± 1.4826 × the median absolute deviation.",
			empty:       "No night in this range",
			opensNight:  true,
			queries:     []query{series("overview/usual", "$column", "lowest_heart_rate", "$title", "Lowest heart rate"), before("nights", "lowest_heart_rate")},
			kind:        lines().Unit("suffix:bpm").Decimals(0),
			fields:      usualAndBefore("Lowest heart rate", workoutHeart, "suffix:bpm"),
		}).
		add(12, 8, panel{
			title:       "Steps",
			description: "Steps of each day, and their average over seven days.",
			empty:       "No activity in this range",
			queries:     []query{metrics("day", "days.steps"), metrics("day", "days.steps").mean(7), before("days", "steps")},
			kind:        lines().Unit("locale").Decimals(0).Min(0),
			fields:      append(stepFields(), beforeField()),
		}).
		add(12, 8, panel{
			title:       "Latest workouts",
			description: "The newest twenty workouts in this range.",
			empty:       "No workout in this range",
			queries:     []query{table("overview/workouts")},
			kind:        rows(),
			fields: []field{
				named("Start").width(165),
				named("Duration").unit("dthms"),
				named("Energy").unit("suffix:kcal").decimals(0),
				named("Distance").unit("lengthm"),
			},
		}).
		add(24, 9, panel{
			title:       "Weeks",
			description: "Weekly averages, newest week first. The last column shows how many days a week has data.",
			empty:       "No data in this range",
			queries:     []query{table("overview/weeks")},
			kind:        rows().Decimals(0),
			fields: []field{
				named("Sleep").steps(bands).set("custom.cellOptions", colouredText),
				named("Readiness").steps(bands).set("custom.cellOptions", colouredText),
				named("Activity").steps(bands).set("custom.cellOptions", colouredText),
				named("Asleep").unit("dthms"),
				named("HRV").unit("suffix:ms"),
				named("Lowest heart rate").unit("suffix:bpm"),
				named("Steps").unit("locale"),
			},
		})
}

// Averages of the range, with the daily values behind them.
func averages() *stat.PanelBuilder {
	return numbers().
		GraphMode(common.BigValueGraphModeArea).
		ReduceOptions(common.NewReduceDataOptionsBuilder().Calcs([]string{"mean"})).
		ColorScheme(fixed(neutral)).
		Decimals(0)
}

var colouredText = map[string]string{"type": "color-text"}

// A line with its usual range as a band and the middle of the range as a dashed line.
func usual(name, colour, unit string) []field {
	return []field{
		named(name).unit(unit).colour(colour).set("custom.showPoints", "never"),
		named("Usual").unit(unit).colour(neutral).dashed().set("custom.showPoints", "never"),
		named("Upper").unit(unit).colour(neutral).fillTo("Lower").set("custom.showPoints", "never").notInLegend(),
		named("Lower").unit(unit).colour(neutral).noLine().set("custom.showPoints", "never").notInLegend(),
	}
}

// A line with its usual range, and the earlier range that the variable "compare" selects.
func usualAndBefore(name, colour, unit string) []field {
	return append(usual(name, colour, unit), beforeField().unit(unit))
}

// The earlier range that the variable "compare" selects.
func beforeField() field {
	return named("Before").colour(beforeColour).dashed().set("custom.showPoints", "never")
}

func scoreVariable() *dashboard.CustomVariableBuilder {
	return dashboard.NewCustomVariableBuilder("score").
		Label("Score in the calendar").
		Values(dashboard.StringOrMap{String: ptr("Readiness : readiness_score, Sleep : sleep_score, Activity : activity_score")}).
		Current(dashboard.VariableOption{
			Selected: ptr(true),
			Text:     dashboard.StringOrArrayOfString{String: ptr("Readiness")},
			Value:    dashboard.StringOrArrayOfString{String: ptr("readiness_score")},
		})
}
