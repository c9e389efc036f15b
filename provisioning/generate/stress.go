package main

import (
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/heatmap"
)

// Stress, recovery and resilience.
func stress() *page {
	const noStress = "Oura has no stress data in this range"
	return newPage("oura-stress", "Oura stress", "Stress, recovery and resilience", "now-90d", "now").
		with(choice("every", "Each point is", "day", "week", "month")).
		mark(
			events("Sessions", "sessions", recoveryColour),
			events("Tags", "tags", neutral),
			events("Rest mode (readings differ)", "rest_mode", attention).on(),
		).
		add(8, 6, panel{
			title:       "Days by kind",
			description: "Number of days that Oura summarises as restored, normal or stressful.",
			empty:       noStress,
			queries:     []query{table("stress/days")},
			kind:        horizontalBars().Min(0).ColorScheme(fixed(neutral)),
			fields:      []field{named("Day").mapped(stressDays)},
		}).
		add(16, 6, panel{
			title:       "Resilience",
			description: "Oura's level of resilience, from limited to exceptional.",
			empty:       "Oura has no resilience in this range: it needs two weeks of data",
			queries:     []query{table("stress/resilience")},
			kind:        states().ShowValue(common.VisibilityModeAuto),
			fields:      []field{named("Resilience").mapped(resilience)},
		}).
		add(16, 8, panel{
			title:       "Stress and recovery",
			description: "Time in Oura's zones of high stress and of high recovery. Recovery is drawn below zero.",
			empty:       noStress,
			queries:     []query{series("stress/extremes")},
			kind:        bars().FillOpacity(80).Unit("suffix:h").Decimals(1),
			fields: []field{
				named("High stress").colour(stressColour),
				named("High recovery").colour(recoveryColour).set("custom.transform", "negative-Y"),
			},
		}).
		add(8, 8, panel{
			title:       "Balance",
			description: "Hours of recovery minus hours of stress, as an average of seven days.",
			empty:       noStress,
			queries:     []query{series("stress/balance")},
			kind: lines().Unit("suffix:h").Decimals(1).FillOpacity(25).Legend(noLegend()).
				Thresholds(just(from(stressColour, step(0, recoveryColour)))).ColorScheme(byThresholds()).
				GradientMode(common.GraphGradientModeScheme),
		}).
		add(24, 5, panel{
			title:       "Days",
			description: "Oura's summary of each day, for the last year of this range at most.",
			empty:       noStress,
			queries:     []query{table("stress/summary")},
			kind:        cells().Legend(legend()),
			fields:      []field{named("Stress").mapped(stressDays)},
		}).
		add(12, 8, panel{
			title:       "Contributors of resilience",
			description: "Sleep, recovery during the day, and stress.",
			empty:       "Oura has no resilience in this range: it needs two weeks of data",
			queries: []query{metrics("$every", "daily_resilience.contributors_sleep_recovery",
				"daily_resilience.contributors_daytime_recovery", "daily_resilience.contributors_stress")},
			kind: lines().Min(0).Max(100).ShowPoints(common.VisibilityModeNever),
			fields: []field{
				named("daily_resilience.contributors_sleep_recovery").title("Sleep").colour(sleepColour),
				named("daily_resilience.contributors_daytime_recovery").title("Recovery by day").colour(recoveryColour),
				named("daily_resilience.contributors_stress").title("Stress").colour(stressColour),
			},
		}).
		add(12, 8, panel{
			title:       "Weekdays",
			description: "Average time of high stress and high recovery by weekday.",
			empty:       noStress,
			queries:     []query{table("stress/weekdays")},
			kind:        rows(),
			fields: []field{
				named("High stress").unit("dthms"),
				named("High recovery").unit("dthms"),
			},
		}).
		add(24, 9, panel{
			title: "Heart rate by hour of the day",
			description: "Average heart rate awake or at rest, one column a day, in the local time of the place where you were. Oura's stress curve is not in its API, and this is the " +
				"closest reading.",
			empty:   "No heart rate in this range",
			queries: []query{series("stress/by_hour")},
			words:   ptr(series("words/times", "$content", "SELECT 1 FROM heartrate_1h WHERE $__timeFilter(time) AND source IN ('awake', 'rest')")),
			kind: heatmap.NewPanelBuilder().
				Color(heatmap.NewHeatmapColorOptionsBuilder().
					Mode(heatmap.HeatmapColorModeScheme).Scheme("Cividis").Steps(64).Exponent(0.5)).
				CellGap(0).
				ShowLegend().
				CellValues(heatmap.NewCellValuesBuilder().Unit("suffix:bpm").Decimals(0)).
				YAxis(heatmap.NewYAxisConfigBuilder().AxisPlacement(common.AxisPlacementLeft)),
		}).
		add(24, 8, panel{
			title:       "Sessions",
			description: "Breathing, meditation and rest: heart rate and HRV of the last minute against the first minute.",
			empty:       "No session in this range",
			queries:     []query{table("stress/sessions")},
			kind:        rows(),
			fields: []field{
				named("Start").width(165),
				named("Duration").unit("dthms"),
				named("Heart rate change").unit("suffix:bpm").decimals(0),
				named("HRV change").unit("suffix:ms").decimals(0),
			},
		})
}
