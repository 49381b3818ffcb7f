import FoundationEssentials

/// Moments as they are written: RFC 3339, or how long ago.
enum MomentText {
    /// The moment in RFC 3339.
    ///
    /// - Throws: `UsageError` where the text is neither.
    static func parse(_ text: String, option: String, now: Date = Date()) throws -> String {
        if let ago = DurationText.parse(text) {
            let seconds = Double(ago.components.seconds) + Double(ago.components.attoseconds) / 1e18
            return write(now.addingTimeInterval(-seconds))
        }
        for fractional in [false, true] {
            let style = Date.ISO8601FormatStyle(includingFractionalSeconds: fractional)
            if let date = try? style.parse(text) { return write(date) }
        }
        throw UsageError(
            message: "--\(option) cannot be `\(text)`",
            mend: "It is a time such as 2026-01-31T12:00:00Z, or a duration ago such as 90s, 30m or 24h."
        )
    }

    /// RFC 3339 in UTC with milliseconds.
    static func write(_ date: Date) -> String {
        Date.ISO8601FormatStyle(includingFractionalSeconds: true).format(date)
    }
}
