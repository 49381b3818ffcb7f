import Events
import Telemetry

/// Days as they are written: `2026-01-31`, in UTC.
enum DayText {
    private static let milliseconds: Int64 = 86_400_000

    /// The day of an option `--day`; yesterday where nothing is given.
    ///
    /// - Parameter now: milliseconds since 1970.
    /// - Throws: `UsageError` where the text is no day, or one that has not begun.
    static func parse(_ text: String?, now: Int64 = WallClock.milliseconds()) throws -> String {
        guard let text else { return day(at: now - milliseconds) }
        guard let start = Timestamp(rfc3339: text + "T00:00:00Z")?.milliseconds else {
            throw UsageError(
                message: "--day cannot be `\(text)`",
                mend: "It is a day in UTC, YYYY-MM-DD, such as \(day(at: now - milliseconds))."
            )
        }
        guard start <= now else {
            throw UsageError(
                message: "--day cannot be `\(text)`: it has not begun",
                mend: "In UTC it is \(day(at: now)) now; the last day that is over is \(day(at: now - milliseconds))."
            )
        }
        return text
    }

    /// The day of a moment.
    static func day(at milliseconds: Int64) -> String {
        String(Timestamp(milliseconds: milliseconds).description.prefix(10))
    }
}
