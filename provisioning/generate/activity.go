package main

import (
	"github.com/grafana/grafana-foundation-sdk/go/common"
)

// Movement, goals and training load.
func activity() *page {
	const noActivity = "No activity in this range"
	return newPage("oura-activity", "Oura activity", "Movement, goals and training load", "now-90d", "now").
		with(choice("every", "Each point is", "day", "week", "month")).
		mark(
			events("Workouts", "workouts", activityColour),
			events("Rest mode (readings differ)", "rest_mode", attention).on(),
		).
		add(14, 4, panel{
			title:       "This range",
			description: "Steps in this range, their average, and the number of days with data.",
			empty:       noActivity,
			queries:     []query{table("activity/totals")},
			kind:        numbersOf("Steps", "Steps a day", "Days"),
			fields: []field{
				named("Steps").unit("locale"),
				named("Steps a day").unit("locale").decimals(0),
			},
		}).
		add(10, 4, panel{
			title:       "Movement and sitting",
			description: "Time at medium and high intensity in this range, and the average time sitting.",
			empty:       noActivity,
			queries:     []query{table("activity/totals")},
			kind:        numbersOf("Brisk movement", "Sitting a day"),
			fields: []field{
				named("Brisk").title("Brisk movement").unit("dthms"),
				named("Sitting a day").unit("dthms"),
			},
		}).
		add(12, 8, panel{
			title:       "Steps",
			description: "Steps, and their average over seven days.",
			empty:       noActivity,
			queries:     []query{metrics("$every", "days.steps").aggregate("sum"), metrics("day", "days.steps").mean(7)},
			kind:        lines().Unit("locale").Decimals(0).Min(0),
			fields:      stepFields(),
		}).
		add(12, 8, panel{
			title:       "Active energy",
			description: "Energy of activity, and Oura's goal for it.",
			empty:       noActivity,
			queries:     []query{metrics("$every", "daily_activity.active_calories", "daily_activity.target_calories")},
			kind:        lines().Unit("suffix:kcal").Decimals(0).Min(0),
			fields: []field{
				named("daily_activity.active_calories").title("Active energy").colour(activityColour).bars(),
				named("daily_activity.target_calories").title("Goal").colour(neutral).set("custom.lineInterpolation", "stepAfter"),
			},
		}).
		add(12, 8, panel{
			title:       "Intensity",
			description: "Time at high, medium and low intensity.",
			empty:       noActivity,
			queries:     []query{series("activity/intensity")},
			kind:        stackedBars().Unit("suffix:h").Decimals(1),
			fields: []field{
				named("High").colour(highIntensity), named("Medium").colour(mediumIntensity), named("Low").colour(lowIntensity),
			},
		}).
		add(12, 8, panel{
			title:       "MET minutes",
			description: "Metabolic equivalents times minutes, by intensity.",
			empty:       noActivity,
			queries: []query{metrics("$every", "daily_activity.high_activity_met_minutes", "daily_activity.medium_activity_met_minutes",
				"daily_activity.low_activity_met_minutes").aggregate("sum")},
			kind: stackedBars().Unit("suffix:MET·min").Decimals(0),
			fields: []field{
				named("daily_activity.high_activity_met_minutes").title("High").colour(highIntensity),
				named("daily_activity.medium_activity_met_minutes").title("Medium").colour(mediumIntensity),
				named("daily_activity.low_activity_met_minutes").title("Low").colour(lowIntensity),
			},
		}).
		add(12, 7, panel{
			title:       "Brisk minutes a week",
			description: "Minutes of moderate activity, with vigorous minutes counted twice. The line is the WHO's recommendation of 150.",
			empty:       noActivity,
			queries:     []query{series("activity/brisk")},
			kind: bars().FillOpacity(70).Unit("suffix:min").Decimals(0).Min(0).
				ColorScheme(fixed(activityColour)).Legend(noLegend()).
				Thresholds(just(from("transparent", step(150, neutral)))).
				ThresholdsStyle(common.NewGraphThresholdsStyleConfigBuilder().Mode(common.GraphThresholdsStyleModeDashed)),
		}).
		add(12, 7, panel{
			title:       "Sitting",
			description: "Time sitting and time without the ring, and the reminders to move.",
			empty:       noActivity,
			queries:     []query{series("activity/sitting")},
			kind:        lines().Min(0),
			fields: []field{
				named("Sitting").unit("suffix:h").decimals(0).colour(neutral),
				named("Ring not worn").unit("suffix:h").decimals(0).colour(sleepColour),
				named("Reminders").decimals(0).rightAxis().bars().colour(attention),
			},
		}).
		add(12, 8, panel{
			title:       "Workouts by activity",
			description: "Hours of workouts.",
			empty:       "No workout in this range",
			queries:     []query{series("activity/by_sport")},
			kind:        stackedBars().Unit("suffix:h").Decimals(1),
		}).
		add(12, 8, panel{
			title:       "Contributors of the activity score",
			description: "Oura's contributors of the activity score, as averages of seven days.",
			empty:       noActivity,
			queries: []query{metrics("day", "daily_activity.contributors_meet_daily_targets", "daily_activity.contributors_move_every_hour",
				"daily_activity.contributors_recovery_time", "daily_activity.contributors_stay_active",
				"daily_activity.contributors_training_frequency", "daily_activity.contributors_training_volume").mean(7)},
			kind: lines().Min(0).Max(100).ShowPoints(common.VisibilityModeNever),
			fields: []field{
				named("daily_activity.contributors_meet_daily_targets").title("Daily targets"),
				named("daily_activity.contributors_move_every_hour").title("Movement every hour"),
				named("daily_activity.contributors_recovery_time").title("Recovery time"),
				named("daily_activity.contributors_stay_active").title("Staying active"),
				named("daily_activity.contributors_training_frequency").title("Training frequency"),
				named("daily_activity.contributors_training_volume").title("Training volume"),
			},
		}).
		add(16, 9, panel{
			title: "Training load",
			description: "MET minutes at medium and high intensity as load, their weighted mean over 7 days (fatigue) and 28 days (fitness), " +
				"and the difference (form).",
			empty:   "Needs 28 days",
			queries: []query{series("activity/load")},
			kind:    lines().Unit("suffix:MET·min").Decimals(0).AxisSoftMin(0),
			fields: []field{
				named("Load").colour(neutral).bars(),
				named("Fatigue, 7 days").colour(activityColour),
				named("Fitness, 28 days").colour(optimal),
				named("Form").colour(readinessColour).set("custom.fillOpacity", 15),
			},
		}).
		add(8, 9, panel{
			title:       "Fatigue against fitness",
			description: "Above 1.5, the last week was much harder than the weeks before. This does not predict an injury.",
			empty:       "Needs 28 days",
			queries:     []query{series("activity/spikes")},
			kind: lines().Decimals(2).Min(0).Legend(noLegend()).ColorScheme(fixed(activityColour)).
				Thresholds(just(from("transparent", step(1.5, neutral)))).
				ThresholdsStyle(common.NewGraphThresholdsStyleConfigBuilder().Mode(common.GraphThresholdsStyleModeArea)),
		}).
		add(24, 9, panel{
			title:       "Workouts",
			description: "Workouts of this range, newest first.",
			empty:       "No workout in this range",
			queries:     []query{table("overview/workouts")},
			kind:        rows(),
			fields: []field{
				named("Start").width(165),
				named("Duration").unit("dthms"),
				named("Energy").unit("suffix:kcal").decimals(0),
				named("Distance").unit("lengthm"),
			},
		})
}

// Daily steps as bars, and their average as a line.
func stepFields() []field {
	return []field{
		ofQuery("A").title("Steps").colour(activityColour).bars(),
		ofQuery("B").title("Average of 7 days").colour(neutral),
	}
}
