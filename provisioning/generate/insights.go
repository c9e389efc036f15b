package main

import (
	"github.com/grafana/grafana-foundation-sdk/go/barchart"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/trend"
)

var strain = values(
	value{"none", "As usual", neutral},
	value{"some", "Unlike usual", "#E5B684"},
	value{"clear", "Very unlike usual", attention},
)

// Statistics over many days, each with its count and its uncertainty.
func insights() *page {
	const noDays = "Needs 60 days with both values"
	const noTag = "Needs five nights after a tag in this range"
	return newPage("oura-insights", "Oura insights",
		"Statistics over many days. They describe what goes together, not what causes it, and are no medical advice.",
		"now-1y", "now").
		with(
			choice("outcome", "Night", "HRV", "Lowest heart rate", "Time asleep", "Efficiency", "Temperature"),
			choice("cause", "Day", "Training", "Steps", "High stress", "Late to bed", "Time asleep"),
			tagVariable(),
		).
		mark(
			events("Tags", "tags", neutral),
			events("Rest mode (readings differ)", "rest_mode", attention).on(),
		).
		add(24, 4, panel{
			title: "Signs of strain",
			description: "Temperature, lowest heart rate, HRV and breathing together. Very unlike usual: two signs on two nights in a row, or " +
				"a temperature of +0.5 °C with another sign. Alcohol, late training and heat do this too. No diagnosis.",
			empty:      "Needs 14 nights before a night in this range",
			opensNight: true,
			queries:    []query{table("insights/strain")},
			kind:       states().Legend(legend()),
			fields:     []field{named("Strain").mapped(strain)},
		}).
		add(24, 8, panel{
			title: "Distance from usual",
			description: "Spreads (σ) from the median of the 60 nights before. HRV is inverted, so that up is strain for all four. " +
				"About one normal night in twenty is above 2.",
			empty:      "Needs 14 nights before a night in this range",
			opensNight: true,
			queries:    []query{series("insights/distances")},
			kind:       lines().Unit("suffix:σ").Decimals(1).LineWidth(1),
			fields: []field{
				named("Temperature").colour(attention), named("Lowest heart rate").colour(workoutHeart),
				named("HRV, inverted").colour(sleepColour), named("Breathing").colour(recoveryColour),
			},
		}).
		add(24, 10, panel{
			title: "What goes with what",
			description: "Rank correlations of a day with a later night, without slow trends and weekends. q is the expected share of chance " +
				"findings among all rows up to this one; chance is excluded up to 0.10. Together does not mean cause.",
			empty:   noDays,
			queries: []query{table("insights/correlations")},
			kind:    rows(),
			fields: []field{
				named("Night").width(145),
				named("Correlation").decimals(2), named("q").decimals(3),
			},
		}).
		add(12, 9, panel{
			title:       "Later nights",
			description: "Correlation of each value of a day with the selected value of the night that follows, and of up to six nights later. Days is the smallest number of pairs in the row.",
			empty:       noDays,
			queries:     []query{table("insights/later")},
			kind:        rows().Decimals(2),
			fields:      []field{named("Nights later").decimals(0), named("Days").decimals(0)},
		}).
		add(12, 9, panel{
			title: "Look closer: $outcome by $cause",
			description: "A point for each day: the selected value of the day below, and of the night that follows on the left. " +
				"Durations are hours, late to bed is hours after midnight. The values include trends and weekends.",
			empty:   "No day with both values in this range",
			queries: []query{table("insights/closer")},
			// An XY chart shows "Err" without data, instead of words.
			kind: trend.NewPanelBuilder().XField("Day").Legend(noLegend()).Tooltip(tooltip()).
				DrawStyle(common.GraphDrawStylePoints).PointSize(5).ColorScheme(fixed(sleepColour)),
		}).
		add(14, 9, panel{
			title: "Nights after a tag",
			description: "HRV of nights after a tag against nights without it, two weeks around, of the same kind of day. The estimate is the " +
				"median of all pairwise means. Forgotten tags make effects smaller.",
			empty:   noTag,
			queries: []query{table("insights/tags")},
			kind:    rows(),
			fields:  []field{named("HRV").title("HRV difference").unit("suffix:ms").decimals(1).width(120), named("q").decimals(3)},
		}).
		add(10, 9, panel{
			title:       "Around a tag",
			description: "Average distance of HRV from usual, from three nights before the night after the selected tag to five nights after it. Nights is their number.",
			empty:       noTag,
			queries:     []query{table("insights/around")},
			kind: barchart.NewPanelBuilder().XField("Nights since").Legend(legend()).Tooltip(tooltip()).
				FillOpacity(60).XTickLabelMaxLength(3).ShowValue(common.VisibilityModeNever),
			fields: []field{
				named("HRV").unit("suffix:σ").decimals(1).colour(sleepColour),
				named("Nights").set("custom.hideFrom", map[string]bool{"viz": true, "legend": true, "tooltip": false}),
			},
		}).
		add(8, 9, panel{
			title:       "Tags given",
			description: "Days with each tag, and the last one.",
			empty:       "No tag in this range",
			queries:     []query{table("insights/given")},
			kind:        rows(),
		}).
		add(8, 9, panel{
			title:       "Body clock",
			description: "Peak and swing of the daily rhythm of the heart rate, and how much later the middle of sleep is on weekends. Behaviour drives the rhythm more than the clock.",
			empty:       "Needs heart rates at every hour",
			queries:     []query{table("insights/clock")},
			kind:        numbers().ReduceOptions(common.NewReduceDataOptionsBuilder().Calcs([]string{"lastNotNull"}).Fields("/.*/")),
			fields: []field{
				named("Swing").unit("suffix:bpm").decimals(0),
				named("Weekend later by").unit("dthms").set("noValue", "Needs eight nights on weekends"),
				named("Weekend nights").set("noValue", "Needs eight nights on weekends"),
			},
		}).
		add(8, 9, panel{
			title:       "Long run",
			description: "Change in a year: the slope of the straight line through this range, with its correlation with time and its number of days.",
			empty:       "Needs 90 nights in this range",
			queries:     []query{table("insights/long_run")},
			kind:        rows().Decimals(1),
			fields:      []field{named("Metric").width(170), named("Correlation").decimals(2), named("Days").decimals(0)},
		}).
		add(24, 8, panel{
			title:       "HRV by year",
			description: "Average HRV of 28 nights in the last 12 months, and on the same days of the three years before.",
			empty:       "No night in the last four years",
			last:        "1y",
			queries:     []query{series("insights/years")},
			kind:        lines().Unit("suffix:ms").Decimals(0).LineWidth(1).ShowPoints(common.VisibilityModeNever),
			fields: []field{
				named("Last 12 months").set("custom.lineWidth", 3).colour(sleepColour),
				named("A year before").colour(readinessColour),
				named("Two years before").colour(activityColour),
				named("Three years before").colour(neutral),
			},
		}).
		add(11, 9, panel{
			title:       "Months",
			description: "Averages by month, newest first, with the standard deviation of HRV and the number of nights.",
			empty:       "No night in this range",
			queries:     []query{table("insights/months")},
			kind:        rows().Decimals(0),
			fields: []field{
				named("Month").width(80),
				named("HRV").unit("suffix:ms").width(70),
				named("HRV deviation").unit("suffix:ms").width(115),
				named("Lowest heart rate").unit("suffix:bpm").width(140),
				named("Asleep").unit("dthms").width(90),
				named("Efficiency").unit("percent").width(85),
			},
		}).
		add(6, 9, panel{
			title:       "Records",
			description: "The highest and lowest values of all stored days.",
			empty:       "No data yet",
			queries:     []query{table("insights/records")},
			kind:        rows(),
			fields:      []field{named("Record").width(145), named("Value").width(85)},
		}).
		add(7, 9, panel{
			title:       "Streaks",
			description: "Days in a row that met a goal, now and at most.",
			empty:       "No data yet",
			queries:     []query{table("insights/streaks")},
			kind:        rows(),
			fields:      []field{named("Streak").width(170), named("Days now").width(85), named("Longest").width(75)},
		})
}

// The tags that were given, the most frequent first.
func tagVariable() *dashboard.QueryVariableBuilder {
	return dashboard.NewQueryVariableBuilder("tag").
		Label("Tag").
		Datasource(source()).
		Refresh(dashboard.VariableRefreshOnTimeRangeChanged).
		Query(dashboard.StringOrMap{Map: map[string]any{
			"refId": "tag", "queryType": "sql", "format": "table",
			"rawSql": "SELECT tag AS __text, tag AS __value FROM tag_days GROUP BY tag ORDER BY count(*) DESC",
		}}).
		Current(dashboard.VariableOption{
			Selected: ptr(true),
			Text:     dashboard.StringOrArrayOfString{String: ptr("alcohol")},
			Value:    dashboard.StringOrArrayOfString{String: ptr("alcohol")},
		})
}
