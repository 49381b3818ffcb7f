import Telemetry

/// How long events and receipts are kept.
struct RetentionSettings {
    /// Receipts outlive events by this at least: clocks differ, and retention works in passes.
    private static let slack: Duration = .seconds(86_400)

    let events = Self.retention(
        "WARREN_EVENT_RETENTION",
        default: "30d",
        help: """
            How long forwarded events stay in the event store, for feeds that read it. The last event of a subject stays. \
            Give all services the same.
            """
    )
    let deliveries = Self.retention(
        "WARREN_DELIVERY_RETENTION",
        default: "90d",
        help: """
            How long the receipt of a processed delivery is kept, so that the same event does nothing again. Dead \
            letters and what waits are never removed.
            """
    )

    var declarations: [SettingDeclaration] { [events.declaration, deliveries.declaration] }

    /// A receipt must outlive its event: a feed that starts again would have it handled twice otherwise.
    func faults(in settings: Settings) -> [SettingFault] {
        guard let kept = settings[deliveries] else { return [] }
        let name = deliveries.declaration.name
        guard let least = settings[events].map({ $0 + Self.slack }) else {
            return [
                SettingFault(
                    variable: name,
                    wrong: "receipts are removed while \(events.declaration.name) keeps events for ever",
                    expected: "forever",
                    mend: "set it to forever, or give \(events.declaration.name) an end"
                )
            ]
        }
        guard kept < least else { return [] }
        return [
            SettingFault(
                variable: name,
                wrong: "\(DurationText.text(of: kept)) is less than a day more than \(events.declaration.name)",
                expected: "at least \(DurationText.text(of: least))",
                mend: "raise it, or lower \(events.declaration.name)"
            )
        ]
    }

    /// What a service says again from time to time must not be gone before it is said again.
    func faults(in settings: Settings, restatedEvery interval: Setting<Duration>) -> [SettingFault] {
        guard let kept = settings[events], kept < settings[interval] * 2 else { return [] }
        let name = interval.declaration.name
        return [
            SettingFault(
                variable: events.declaration.name,
                wrong: "\(DurationText.text(of: kept)) is less than twice \(name)",
                expected: "at least \(DurationText.text(of: settings[interval] * 2))",
                mend: "raise it, or lower \(name)"
            )
        ]
    }

    private static func retention(_ name: String, default: String, help: String) -> Setting<Duration?> {
        Setting(
            name,
            default: `default`,
            expected: "a duration such as 90d or 720h, at least 1h, or forever",
            help: help
        ) { text in
            if text == "forever" { return .some(nil) }
            let duration =
                text.hasSuffix("d")
                ? DurationText.parse(text.dropLast() + "h").map { $0 * 24 }
                : DurationText.parse(text)
            guard let duration, duration >= .seconds(3600), duration <= .seconds(100 * 366 * 86_400) else { return nil }
            return .some(duration)
        }
    }
}
