package main

// One night in detail. The range is from noon to noon. It shows the newest night with at least half
// of its time in the range, because a night can begin before noon or end after it.
func night() *page {
	const noNight = "No night in this range: select a range from noon to noon"
	return newPage("oura-night", "Oura night", "One night in detail", beforeFive+"/d+12h", beforeFive+"/d+12h").
		mark(events("Tags", "tags", neutral).on(), events("Naps", "naps", sleepColour)).
		add(24, 3, panel{
			title:       "Night",
			description: "The night in this range, with links to the night before and the night after.",
			empty:       noNight,
			queries:     []query{table("night/around")},
			kind:        rows().ShowHeader(false),
			fields: []field{
				named("Earlier").set("links", rangeLink("Night before", "before")),
				named("Later").set("links", rangeLink("Night after", "after")).set("custom.align", "right"),
				named("Night").set("custom.align", "center"),
				named("before_from").hidden(), named("before_to").hidden(),
				named("after_from").hidden(), named("after_to").hidden(),
			},
		}).
		addNightNumbers("Sleep", noNight).
		add(24, 5, panel{
			title:       "Sleep stages",
			description: "Stages of the main sleep, every five minutes.",
			empty:       noNight,
			queries:     []query{table("night/stages")},
			kind:        states().Legend(legend()),
			fields:      []field{named("Stage").mapped(stages)},
		}).
		add(24, 7, panel{
			title:       "Heart rate",
			description: "Every quarter of an hour, with the middle half of the 28 nights before at the same time after going to bed, from seven nights on.",
			empty:       noNight,
			queries:     []query{series("night/compared", "$series", "sleep.heart_rate", "$title", "Heart rate")},
			kind:        lines().Unit("suffix:bpm").Decimals(0),
			fields:      usual("Heart rate", workoutHeart, "suffix:bpm"),
		}).
		add(24, 7, panel{
			title:       "HRV",
			description: "Heart rate variability (RMSSD), with the middle half of the 28 nights before at the same time after going to bed, from seven nights on.",
			empty:       noNight,
			queries:     []query{series("night/compared", "$series", "sleep.hrv", "$title", "HRV")},
			kind:        lines().Unit("suffix:ms").Decimals(0),
			fields:      usual("HRV", sleepColour, "suffix:ms"),
		}).
		add(24, 5, panel{
			title:       "Movement",
			description: "Every half minute, from 1 (no motion) to 4 (high activity).",
			empty:       noNight,
			queries:     []query{series("night/movement")},
			kind:        bars().FillOpacity(80).Min(0).Max(4).Legend(noLegend()).ColorScheme(fixed(neutral)),
		}).
		add(12, 8, panel{
			title:       "Stages in sum",
			description: "Time in each stage, and the median of the 28 nights before, from seven nights on.",
			empty:       noNight,
			queries:     []query{table("night/stage_totals")},
			kind:        rows(),
			fields: []field{
				named("This night").unit("dthms"),
				named("Usual").unit("dthms"),
			},
		}).
		add(12, 8, panel{
			title:       "Heart by stage",
			description: "Average heart rate and HRV in each stage.",
			empty:       noNight,
			queries:     []query{table("night/by_stage")},
			kind:        rows().Decimals(0),
			fields: []field{
				named("Heart rate").unit("suffix:bpm"),
				named("HRV").unit("suffix:ms"),
				named("Duration").unit("dthms"),
			},
		})
}

// The numbers of the main sleep in the range, in three panels. The first one has the title `title`.
func (p *page) addNightNumbers(title, empty string) *page {
	queries := []query{table("night/numbers")}
	return p.
		add(8, 4, panel{
			title:       title,
			description: "The main sleep of the night in this range: time asleep, its share of the time in bed, and the time to fall asleep.",
			empty:       empty,
			queries:     queries,
			kind:        numbersOf("Asleep", "Efficiency", "To fall asleep"),
			fields: []field{
				named("Asleep").unit("dthms"),
				named("Efficiency").unit("percent"),
				named("To fall asleep").unit("dthms"),
			},
		}).
		add(5, 4, panel{
			title:       "Bedtimes",
			description: "In the local time of the place where you slept.",
			empty:       empty,
			queries:     queries,
			kind:        numbersOf("Going to bed", "Getting up"),
			fields:      []field{named("To bed").title("Going to bed"), named("Up").title("Getting up")},
		}).
		add(5, 4, panel{
			title:       "Heart at night",
			description: "Average heart rate variability (RMSSD), and lowest heart rate.",
			empty:       empty,
			queries:     queries,
			kind:        numbersOf("HRV", "Lowest heart rate"),
			fields: []field{
				named("HRV").unit("suffix:ms").decimals(0),
				named("Lowest heart rate").unit("suffix:bpm").decimals(0),
			},
		}).
		add(6, 4, panel{
			title:       "Breathing and temperature",
			description: "Breathing rate, and difference from your normal temperature.",
			empty:       empty,
			queries:     queries,
			kind:        numbersOf("Breathing", "Temperature"),
			fields: []field{
				named("Breathing").unit("suffix:/min").decimals(1),
				named("Temperature").unit("celsius").decimals(2),
			},
		})
}

// Returns a link from a value of a day to the night before that day: from noon to noon around its midnight.
func nightOfDay() []map[string]any {
	return []map[string]any{{
		"title": "Open the night",
		"url":   "/d/oura-night?${datasource:queryparam}&time=${__value.time}&time.window=86400000",
	}}
}

func rangeLink(title, prefix string) []map[string]any {
	return []map[string]any{{
		"title":    title,
		"oneClick": true,
		"url": "/d/oura-night?${datasource:queryparam}" +
			"&from=${__data.fields." + prefix + "_from.numeric}&to=${__data.fields." + prefix + "_to.numeric}",
	}}
}
