package main

import "github.com/grafana/grafana-foundation-sdk/go/dashboard"

// The state of the data: fetched, missing, and the reasons.
func data() *page {
	page := newPage("oura-data", "Oura data", "The state of your data: fetched, missing, and why", "now-30d", "now")
	return page.
		add(12, 4, panel{
			title:       "State",
			description: "Time since the last sync, collections that are up to date, and collections that fail.",
			empty:       "Not connected yet",
			queries:     []query{table("data/state")},
			kind:        numbersOf("Since the last sync", "Collections up to date", "Collections failing"),
			fields: []field{
				named("Since the last sync").unit("dthms"),
				named("Collections fine").title("Collections up to date"),
				named("With trouble").title("Collections failing").steps(from("text", step(1, attention))),
			},
		}).
		add(12, 4, panel{
			title:       "History",
			description: "Stored documents, the first day, and the share of nights with data in this range.",
			empty:       "Not connected yet",
			queries:     []query{table("data/state")},
			kind:        numbersOf("Documents", "First day", "Nights"),
			fields: []field{
				named("Documents").unit("locale"),
				named("Nights").unit("percent").decimals(0),
			},
		}).
		add(24, 12, panel{
			title:       "Coverage",
			description: "State of each collection and day, for the last year of this range at most.",
			empty:       "No data yet",
			queries:     []query{series("data/coverage_by_day")},
			kind:        cells().Legend(legend()),
			fields:      nil,
			mappings:    coverageStates(),
		}).
		add(24, 12, panel{
			title:       "Collections",
			description: "First and last day, documents, the share of days with data, and the reason for missing data.",
			empty:       "No data yet",
			queries:     []query{table("data/collections")},
			kind:        rows(),
			fields: []field{
				named("Collection").width(210),
				named("State").mapped(collectionStates),
				named("Documents").unit("locale"),
				named("Days with data").unit("percent").decimals(0),
				named("Fetched").unit("dateTimeFromNow"),
			},
		}).
		add(14, 8, panel{
			title:       "Gaps",
			description: "Ranges of days without data, with the reason.",
			empty:       "No gap in this range",
			queries:     []query{table("data/gaps")},
			kind:        rows(),
			fields:      []field{named("Why").mapped(gapReasons)},
		}).
		add(10, 8, panel{
			title:       "Queue",
			description: "Windows that the next sync fetches.",
			empty:       "The queue is empty",
			queries:     []query{table("data/queue")},
			kind:        rows(),
		}).
		add(8, 7, panel{
			title:       "Revisions",
			description: "Documents that Oura changed after the first fetch, by day.",
			empty:       "No revision in this range",
			queries:     []query{series("data/revisions")},
			kind: bars().FillOpacity(70).Min(0).Decimals(0).Legend(noLegend()).
				ColorScheme(fixed(neutral)),
		}).
		add(16, 7, panel{
			title:       "Syncs",
			description: "Syncs with their requests, documents and errors.",
			empty:       "No sync in this range",
			queries:     []query{table("data/syncs")},
			kind:        rows(),
			fields: []field{
				named("Started").unit("dateTimeAsIso").width(165),
				named("Took").unit("dthms"),
				named("Documents").unit("locale"),
				named("Changed").unit("locale"),
			},
		}).
		add(14, 7, panel{
			title:       "Ring battery",
			description: "Lowest charge of each step.",
			empty:       "Oura has no battery level: it needs the scope ring_configuration",
			queries:     []query{metrics("auto", "ring_battery_level.level").aggregate("min")},
			kind: lines().Unit("percent").Min(0).Max(100).Decimals(0).Legend(noLegend()).ColorScheme(fixed(optimal)).
				Thresholds(just(from("transparent", step(20, attention)))),
		}).
		add(10, 7, panel{
			title:       "Rings",
			description: "Every ring of this account.",
			empty:       "Oura has no ring: it needs the scope ring_configuration",
			queries:     []query{table("data/rings")},
			kind:        rows(),
			fields: []field{
				named("Set up").unit("dateTimeAsIso").width(165),
				named("Generation").width(100), named("Size").width(60),
			},
		})
}

// Labels of the states in the table `collections`, as on the configuration page.
var collectionStates = values(
	value{"ok", "OK", "text"},
	value{"waiting", "Waiting", neutral},
	value{"scope_missing", "Permission missing", attention},
	value{"membership_ended", "Membership ended", attention},
	value{"forbidden", "Refused", attention},
	value{"not_available", "Not available", neutral},
	value{"app_too_old", "Oura app too old", attention},
	value{"removed", "No longer offered", neutral},
	value{"error", "Failed", attention},
)

// Labels of the reasons in the view `coverage`, as on the configuration page.
var gapReasons = values(
	value{"not_fetched", "not fetched yet", ""},
	value{"empty", "without data", ""},
	value{"scope_missing", "permission missing", ""},
	value{"membership_ended", "membership ended", ""},
	value{"refused", "refused", ""},
	value{"not_available", "not available", ""},
	value{"app_too_old", "Oura app too old", ""},
	value{"removed", "no longer offered", ""},
	value{"failed", "failed", ""},
	value{"battery_empty", "with an empty ring battery", ""},
	value{"ring_off", "with the ring off or out of reach", ""},
	value{"no_ring_yet", "before the first ring", ""},
	value{"not_synced", "not synced from the phone yet", ""},
)

// The numbers of data/coverage_by_day.sql.
func coverageStates() []dashboard.ValueMapping {
	state := func(index int32, text, colour string) dashboard.ValueMappingResult {
		return dashboard.ValueMappingResult{Index: ptr(index), Text: ptr(text), Color: ptr(colour)}
	}
	return []dashboard.ValueMapping{{ValueMap: &dashboard.ValueMap{
		Type: "value",
		Options: map[string]dashboard.ValueMappingResult{
			"0": state(0, "Not fetched", attention),
			"1": state(1, "Empty", "#3D444D"),
			"2": state(2, "May change", recoveryColour),
			"3": state(3, "Complete", "#2F6EA8"),
		},
	}}}
}
