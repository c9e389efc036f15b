package main

import (
	"fmt"
	"strings"

	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/heatmap"
)

// How long, when and how well a person sleeps.
func sleep() *page {
	const noNight = "No night in this range"
	return newPage("oura-sleep", "Oura sleep", "How long, when and how well you sleep", "now-90d", "now").
		with(choice("every", "Each point is", "day", "week", "month")).
		mark(
			events("Tags", "tags", neutral),
			events("Naps", "naps", sleepColour),
			events("Rest mode (readings differ)", "rest_mode", attention).on(),
			moves().on(),
		).
		add(10, 4, panel{
			title:       "Averages",
			description: "Averages of the nights in this range: time asleep, its share of the time in bed, and the time to fall asleep.",
			empty:       noNight,
			queries:     []query{table("sleep/averages")},
			kind:        numbersOf("Asleep", "Efficiency", "To fall asleep"),
			fields: []field{
				named("Asleep").unit("dthms"),
				named("Efficiency").unit("percent").decimals(0),
				named("To fall asleep").unit("dthms"),
			},
		}).
		add(10, 4, panel{
			title:       "Average stages and HRV",
			description: "Deep and REM sleep in percent of the time asleep, and heart rate variability (RMSSD).",
			empty:       noNight,
			queries:     []query{table("sleep/averages")},
			kind:        numbersOf("Deep", "REM", "HRV"),
			fields: []field{
				named("Deep").unit("percent").decimals(0),
				named("REM").unit("percent").decimals(0),
				named("HRV").unit("suffix:ms").decimals(0),
			},
		}).
		add(4, 4, panel{
			title:       "Number of nights",
			description: "Nights with data in this range.",
			empty:       noNight,
			queries:     []query{table("sleep/averages")},
			kind:        numbersOf("Nights"),
			fields:      []field{named("Nights").decimals(0)},
		}).
		add(16, 8, panel{
			title: "Time asleep and need",
			description: "Hours asleep with naps, their average over seven nights, and your need: the median of your weekend nights " +
				"of the last 90 days, between 7 and 9 hours.",
			empty:      noNight,
			opensNight: true,
			queries:    []query{series("sleep/need")},
			kind:       lines().Unit("suffix:h").Decimals(1).Min(0),
			fields: []field{
				named("Asleep, naps included").colour(sleepColour).bars(),
				named("Mean of 7 nights").title("Average of 7 nights").colour(optimal).set("custom.showPoints", "never"),
				named("Need").colour(neutral).dashed().set("custom.showPoints", "never"),
			},
		}).
		add(8, 8, panel{
			title:       "Sleep debt",
			description: "Missing hours of sleep. Recent nights count more. The bars are single nights.",
			empty:       "Needs 21 nights",
			opensNight:  true,
			queries:     []query{series("sleep/debt")},
			kind:        lines().Unit("suffix:h").Decimals(1).AxisSoftMin(0),
			fields: []field{
				named("Debt").colour(attention).set("custom.fillOpacity", 20),
				named("This night").colour(neutral).bars(),
			},
		}).
		add(16, 8, panel{
			title:       "Bedtimes",
			description: "Going to bed, the middle of sleep and getting up, in the local time of the place where you slept. Midnight is 0.",
			empty:       noNight,
			opensNight:  true,
			queries:     []query{series("sleep/bedtimes")},
			kind:        lines().ShowPoints(common.VisibilityModeNever).AxisSoftMin(-4).AxisSoftMax(12),
			mappings:    clock(),
			fields: []field{
				named("To bed").title("Going to bed").colour(sleepColour),
				named("Middle").title("Middle of sleep").colour(neutral).dashed(),
				named("Up").title("Getting up").colour(activityColour),
			},
		}).
		add(8, 8, panel{
			title:       "Recommended bedtime",
			description: "The window that Oura recommends for going to bed, and the time you went to bed.",
			empty:       "Oura recommends no bedtime in this range",
			opensNight:  true,
			queries:     []query{series("sleep/recommended")},
			kind:        lines(),
			mappings:    clock(),
			fields: []field{
				named("From").colour(recoveryColour).noLine(),
				named("Until").colour(recoveryColour).fillTo("From"),
				named("To bed").title("Went to bed").colour(sleepColour).set("custom.drawStyle", "points"),
			},
		}).
		add(24, 11, panel{
			title:       "Asleep by time of day",
			description: "One column per night, from noon to noon, naps included. Filled cells show sleep.",
			empty:       noNight,
			queries:     []query{series("sleep/raster", "$columns", halfHours())},
			words:       ptr(series("words/times", "$content", "SELECT 1 FROM sleep WHERE $__dayFilter(day)")),
			kind: heatmap.NewPanelBuilder().
				Color(heatmap.NewHeatmapColorOptionsBuilder().
					Mode(heatmap.HeatmapColorModeScheme).Scheme("Cividis").Steps(32).Min(0).Max(1).Exponent(0.5)).
				CellGap(0).
				HideLegend().
				YAxis(heatmap.NewYAxisConfigBuilder().AxisPlacement(common.AxisPlacementLeft)),
		}).
		add(12, 7, panel{
			title:       "Regularity",
			description: "Sleep regularity index: agreement of consecutive days in being asleep or awake. 100 means identical days, 0 random sleep.",
			empty:       "Needs five nights within a week",
			queries:     []query{series("sleep/regularity")},
			kind:        lines().Min(0).Max(100).Decimals(0),
			fields: []field{
				named("7 nights").colour(neutral).set("custom.lineWidth", 1),
				named("28 nights").colour(sleepColour),
			},
		}).
		add(12, 7, panel{
			title: "Variation of sleep times",
			description: "Deviation of the middle of sleep over 14 nights, and how much later it is on weekends than on weekdays over " +
				"8 weeks (social jet lag).",
			empty:   "Needs seven nights",
			queries: []query{series("sleep/timing")},
			kind:    lines().Unit("suffix:min").Decimals(0),
			fields: []field{
				named("Spread of the middle, 14 nights").title("Deviation, 14 nights").colour(sleepColour),
				named("Weekend against week, 8 weeks").title("Weekend later by, 8 weeks").colour(activityColour),
			},
		}).
		add(12, 8, panel{
			title:       "Sleep stages",
			description: "Hours of each stage in the main sleep.",
			empty:       noNight,
			queries:     []query{series("sleep/stages")},
			kind:        stackedBars().Unit("suffix:h").Decimals(1),
			fields:      stageColours(),
		}).
		add(12, 8, panel{
			title:       "Shares of sleep stages",
			description: "Deep, REM and light sleep in percent of the time asleep.",
			empty:       noNight,
			queries:     []query{series("sleep/shares")},
			kind:        lines().Unit("percent").Min(0).Max(100).Decimals(0).ShowPoints(common.VisibilityModeNever),
			fields:      stageColours()[:3],
		}).
		add(12, 7, panel{
			title:       "Efficiency, latency and restlessness",
			description: "Time asleep in percent of the time in bed, time to fall asleep, and restless periods.",
			empty:       noNight,
			queries:     []query{series("sleep/efficiency")},
			kind:        lines(),
			fields: []field{
				named("Efficiency").unit("percent").colour(sleepColour),
				named("Time to fall asleep").unit("suffix:min").decimals(0).rightAxis().colour(activityColour),
				named("Restless periods").decimals(0).set("custom.axisPlacement", "hidden").colour(neutral),
			},
		}).
		add(12, 7, panel{
			title:       "Breathing and blood oxygen",
			description: "Breathing rate, average blood oxygen (SpO2) and breathing disturbance index.",
			empty:       "No blood oxygen in this range: the ring measures it only when it is switched on in the app",
			queries:     []query{metrics("$every", "days.average_breath", "days.spo2_average", "days.breathing_disturbance_index")},
			kind:        lines(),
			fields: []field{
				named("days.average_breath").title("Breathing rate").colour(sleepColour),
				named("days.spo2_average").title("Blood oxygen").rightAxis().colour(recoveryColour),
				named("days.breathing_disturbance_index").title("Breathing disturbance").set("custom.axisPlacement", "hidden").colour(attention),
			},
		}).
		add(12, 7, panel{
			title:       "Body temperature",
			description: "Difference from your normal temperature at night, and Oura's trend.",
			empty:       noNight,
			queries:     []query{metrics("$every", "days.temperature_deviation", "days.temperature_trend_deviation")},
			kind:        lines().Unit("celsius").Decimals(2),
			fields: []field{
				named("days.temperature_deviation").title("Deviation").colour(activityColour),
				named("days.temperature_trend_deviation").title("Trend").colour(neutral).dashed(),
			},
		}).
		add(12, 7, panel{
			title:       "Naps",
			description: "Number of naps and time asleep in them.",
			empty:       "No nap in this range",
			queries:     []query{series("sleep/naps")},
			kind:        bars().FillOpacity(60),
			fields: []field{
				named("Naps").decimals(0).colour(neutral),
				named("Time asleep").unit("suffix:min").decimals(0).rightAxis().colour(sleepColour),
			},
		}).
		add(12, 8, panel{
			title:       "Weekdays",
			description: "Medians by the weekday on which you woke up.",
			empty:       noNight,
			queries:     []query{table("sleep/weekdays")},
			kind:        rows(),
			fields: []field{
				named("To bed").title("Going to bed"),
				named("Up").title("Getting up"),
				named("Asleep").unit("dthms"),
			},
		}).
		add(12, 8, panel{
			title:       "Contributors of the sleep score",
			description: "Oura's contributors of the sleep score, as averages of seven days.",
			empty:       "No sleep score in this range",
			queries: []query{metrics("day", "daily_sleep.contributors_deep_sleep", "daily_sleep.contributors_efficiency",
				"daily_sleep.contributors_latency", "daily_sleep.contributors_rem_sleep", "daily_sleep.contributors_restfulness",
				"daily_sleep.contributors_timing", "daily_sleep.contributors_total_sleep").mean(7)},
			kind: lines().Min(0).Max(100).ShowPoints(common.VisibilityModeNever),
			fields: []field{
				named("daily_sleep.contributors_deep_sleep").title("Deep sleep"),
				named("daily_sleep.contributors_efficiency").title("Efficiency"),
				named("daily_sleep.contributors_latency").title("Time to fall asleep"),
				named("daily_sleep.contributors_rem_sleep").title("REM sleep"),
				named("daily_sleep.contributors_restfulness").title("Restfulness"),
				named("daily_sleep.contributors_timing").title("Timing"),
				named("daily_sleep.contributors_total_sleep").title("Total sleep"),
			},
		}).
		add(24, 10, panel{
			title:       "Nights",
			description: "Every night in this range, newest first. The date opens the night.",
			empty:       noNight,
			queries:     []query{table("sleep/nights")},
			kind:        rows(),
			fields: []field{
				named("Night").set("links", nightLink()),
				named("To bed").title("Going to bed"),
				named("Up").title("Getting up"),
				named("Asleep").unit("dthms"),
				named("Deep").unit("dthms"),
				named("REM").unit("dthms"),
				named("Efficiency").unit("percent"),
				named("HRV").unit("suffix:ms").decimals(0),
				named("Lowest heart rate").unit("suffix:bpm"),
				named("Temperature").unit("celsius").decimals(2),
				named("Score").steps(bands).set("custom.cellOptions", colouredText),
				named("Naps").unit("dthms"),
				named("from").hidden(),
				named("to").hidden(),
			},
		})
}

// The colours of the stages, those of sleep first.
func stageColours() []field {
	return []field{
		named("Deep").colour(deep), named("REM").colour(rem),
		named("Light").colour(light), named("Awake").colour(awake),
	}
}

// Returns a link to the night of a table's row. The hidden columns `from` and `to` contain its time range.
func nightLink() []map[string]any {
	return []map[string]any{{
		"title": "Open the night",
		"url": "/d/oura-night?${datasource:queryparam}" +
			"&from=${__data.fields.from.numeric}&to=${__data.fields.to.numeric}",
	}}
}

// Returns one SQL column for each half hour from noon to noon, the last half hour first: a heat map
// draws the first column at the bottom. The dot keeps it from sorting the names as numbers.
func halfHours() string {
	columns := make([]string, 0, 48)
	for slot := 47; slot >= 0; slot-- {
		columns = append(columns, fmt.Sprintf(`coalesce(max(iif(slot = %d, share, NULL)), 0) AS "· %02d:%02d"`,
			slot, (12+slot/2)%24, slot%2*30))
	}
	return strings.Join(columns, ",\n  ")
}
