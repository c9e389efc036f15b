package main

import (
	"github.com/grafana/grafana-foundation-sdk/go/candlestick"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/heatmap"
	"github.com/grafana/grafana-foundation-sdk/go/trend"
)

// The heart at night, around the clock and over years.
func heart() *page {
	const noNight = "No night in this range"
	const noHeartRate = "No heart rate in this range"
	return newPage("oura-heart", "Oura heart", "The heart at night, around the clock and over years", "now-90d", "now").
		with(choice("every", "Each point is", "day", "week", "month"), compareVariable()).
		mark(
			events("Workouts", "workouts", activityColour),
			events("Tags", "tags", neutral),
			events("Rest mode (readings differ)", "rest_mode", attention).on(),
			moves().on(),
		).
		add(14, 5, panel{
			title:       "Newest night",
			description: "The newest value of each, with this range behind it.",
			empty:       noNight,
			queries:     []query{metrics("day", "nights.lowest_heart_rate", "nights.average_hrv", "nights.average_breath")},
			kind:        numbers().GraphMode(common.BigValueGraphModeArea),
			fields: []field{
				named("nights.lowest_heart_rate").title("Lowest heart rate").colour(workoutHeart),
				named("nights.average_hrv").title("HRV").colour(sleepColour),
				named("nights.average_breath").title("Breathing").colour(recoveryColour),
			},
		}).
		add(10, 5, panel{
			title:       "Newest estimates",
			description: "Oura's newest estimates of the age of the arteries and of cardio capacity, with this range behind them.",
			empty:       "Oura has no estimate in this range",
			queries:     []query{metrics("day", "days.vascular_age", "days.vo2_max")},
			kind:        numbers().GraphMode(common.BigValueGraphModeArea).ColorScheme(fixed(neutral)),
			fields: []field{
				named("days.vascular_age").title("Cardiovascular age"),
				named("days.vo2_max").title("VO2 max"),
			},
		}).
		add(12, 8, panel{
			title:       "Lowest heart rate",
			description: "Lowest heart rate of each night, with the usual range: the median of the 60 days before, ± 1.4826 × the median absolute deviation.",
			empty:       noNight,
			opensNight:  true,
			queries:     []query{series("overview/usual", "$column", "lowest_heart_rate", "$title", "Lowest heart rate"), before("nights", "lowest_heart_rate")},
			kind:        lines().Unit("suffix:bpm").Decimals(0),
			fields:      usualAndBefore("Lowest heart rate", workoutHeart, "suffix:bpm"),
		}).
		add(12, 8, panel{
			title:       "HRV at night",
			description: "Average heart rate variability (RMSSD), with the usual range: the median of the 60 days before, ± 1.4826 × the median absolute deviation.",
			empty:       noNight,
			opensNight:  true,
			queries:     []query{series("overview/usual", "$column", "average_hrv", "$title", "HRV"), before("nights", "average_hrv")},
			kind:        lines().Unit("suffix:ms").Decimals(0),
			fields:      usualAndBefore("HRV", sleepColour, "suffix:ms"),
		}).
		add(16, 8, panel{
			title: "HRV for training",
			description: "Geometric mean of seven nights with its normal zone (half a deviation around the 60 days before), and the " +
				"variation from night to night.",
			empty:   "Needs three nights within a week",
			queries: []query{series("heart/geometric_mean")},
			kind:    lines().Unit("suffix:ms").Decimals(0),
			fields: []field{
				named("Mean of 7 nights").title("Geometric mean of 7 nights").colour(sleepColour),
				named("Upper").unit("suffix:ms").colour(neutral).fillTo("Lower").set("custom.showPoints", "never").notInLegend(),
				named("Lower").unit("suffix:ms").colour(neutral).noLine().set("custom.showPoints", "never").notInLegend(),
				named("Variation").unit("percent").rightAxis().colour(activityColour).dashed().set("custom.showPoints", "never"),
			},
		}).
		add(8, 8, panel{
			title:       "Dip at night",
			description: "How much lower the average heart rate of the night is than that of the day before.",
			empty:       "Needs heart rates of the day",
			opensNight:  true,
			queries:     []query{series("heart/dip")},
			kind:        lines().Unit("percent").Decimals(0).AxisSoftMin(0).AxisSoftMax(40).ColorScheme(fixed(sleepColour)),
		}).
		add(24, 9, panel{
			title:       "Around the clock",
			description: "Average heart rate by source, in steps that fit the range.",
			empty:       noHeartRate,
			queries:     []query{series("heart/by_source")},
			kind:        lines().Unit("suffix:bpm").Decimals(0).LineWidth(1).ShowPoints(common.VisibilityModeNever).SpanNulls(common.BoolOrFloat64{Bool: ptr(false)}),
			fields: []field{
				named("Sleep").colour(asleepHeart), named("Rest").colour(restingHeart),
				named("Awake").colour(awakeHeart), named("Workout").colour(workoutHeart),
			},
		}).
		add(16, 8, panel{
			title:       "Daily range",
			description: "The line is the whole range of a day, the box the middle half of its hours.",
			empty:       noHeartRate,
			queries:     []query{series("heart/daily_range")},
			kind: candlestick.NewPanelBuilder().
				Mode(candlestick.VizDisplayModeCandles).
				CandleStyle(candlestick.CandleStyleCandles).
				Unit("suffix:bpm").
				Decimals(0).
				Legend(noLegend()).
				Colors(candlestick.NewCandlestickColorsBuilder().Up(workoutHeart).Down(workoutHeart).Flat(workoutHeart)),
		}).
		add(8, 8, panel{
			title:       "Typical week",
			description: "Average heart rate by hour and weekday, without workouts, in the local time of the place where you were.",
			empty:       noHeartRate,
			queries:     []query{table("heart/typical_week")},
			words:       ptr(table("words/hours", "$content", "SELECT 1 FROM heartrate_1h WHERE $__timeFilter(time) AND source <> 'workout'")),
			kind:        week(),
		}).
		add(12, 8, panel{
			title:       "Course of the night",
			description: "The newest night, over the middle half of up to 90 nights, by hours in bed. The half needs seven nights.",
			empty:       noNight,
			queries:     []query{table("heart/night_curve")},
			kind: trend.NewPanelBuilder().XField("Hours in bed").Unit("suffix:bpm").Decimals(0).
				Legend(legend()).Tooltip(tooltip()).LineWidth(2).ShowPoints(common.VisibilityModeNever),
			fields: append(usual("Last night", workoutHeart, "suffix:bpm"), named("Hours in bed").unit("suffix:h").decimals(1)),
		}).
		add(12, 8, panel{
			title:       "When the heart rate is lowest",
			description: "Share of the night that has passed when the heart rate is lowest. An early minimum means that the body rested early.",
			empty:       noNight,
			opensNight:  true,
			queries:     []query{series("heart/lowest")},
			kind: lines().Unit("percent").Min(0).Max(100).Decimals(0).DrawStyle(common.GraphDrawStylePoints).
				ColorScheme(fixed(sleepColour)).
				Thresholds(just(from("transparent", step(33, neutral), step(66, neutral)))).
				ThresholdsStyle(common.NewGraphThresholdsStyleConfigBuilder().Mode(common.GraphThresholdsStyleModeDashed)),
		}).
		add(12, 8, panel{
			title:       "Zones",
			description: "Time at 50, 60, 70, 80 and 90 percent of the maximum heart rate: 208 − 0.7 × age, or the highest values in workouts.",
			empty:       noHeartRate,
			queries:     []query{series("heart/zones")},
			kind:        stackedBars().Unit("suffix:h").Decimals(1),
			fields: []field{
				named("Zone 1").colour("#2F4B7C"), named("Zone 2").colour("#575D6D"), named("Zone 3").colour("#8A8779"),
				named("Zone 4").colour("#C4B56C"), named("Zone 5").colour("#FEE838"),
			},
		}).
		add(6, 8, panel{
			title:       "VO2 max",
			description: "Oura's estimate of cardio capacity.",
			empty:       "Oura has no VO2 max here: it needs a walking test in the app",
			queries:     []query{metrics("day", "days.vo2_max")},
			kind:        lines().ColorScheme(fixed(activityColour)).Legend(noLegend()),
		}).
		add(6, 8, panel{
			title:       "Cardiovascular age",
			description: "Oura's estimate of the age of the arteries, and the pulse wave velocity behind it.",
			empty:       "Oura has no estimate in this range",
			queries:     []query{metrics("day", "days.vascular_age", "days.pulse_wave_velocity")},
			kind:        lines(),
			fields:      []field{named("days.pulse_wave_velocity").title("Pulse wave velocity").rightAxis().colour(neutral), named("days.vascular_age").title("Cardiovascular age").colour(activityColour)},
		})
}

// A heat map of hours and weekdays.
func week() *heatmap.PanelBuilder {
	return heatmap.NewPanelBuilder().
		Color(heatmap.NewHeatmapColorOptionsBuilder().Mode(heatmap.HeatmapColorModeScheme).Scheme("Cividis").Steps(64).Exponent(0.5)).
		CellGap(1).
		ShowLegend().
		CellValues(heatmap.NewCellValuesBuilder().Unit("suffix:bpm").Decimals(0)).
		YAxis(heatmap.NewYAxisConfigBuilder().AxisPlacement(common.AxisPlacementLeft))
}
