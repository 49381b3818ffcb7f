import Events
import Telemetry

/// Moments as they are written: RFC 3339, or how long ago.
enum MomentText {
    /// The moment in RFC 3339, UTC.
    ///
    /// - Parameter now: milliseconds since 1970.
    /// - Throws: `UsageError` where the text is neither.
    static func parse(_ text: String, option: String, now: Int64 = WallClock.milliseconds()) throws -> String {
        if let ago = DurationText.parse(text) {
            return Timestamp(milliseconds: now - DurationText.milliseconds(ago)).description
        }
        guard let milliseconds = Timestamp(rfc3339: text)?.milliseconds else {
            throw UsageError(
                message: "--\(option) cannot be `\(text)`",
                mend: "It is a time such as 2026-01-31T12:00:00Z, or a duration ago such as 90s, 30m or 24h."
            )
        }
        return Timestamp(milliseconds: milliseconds).description
    }
}
