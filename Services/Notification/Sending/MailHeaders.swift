import Events
import Telemetry

/// The headers of a mail that are derived from its event, so that a second copy of it carries the same.
enum MailHeaders {
    /// The Message-ID of the mail about an event.
    ///
    /// `<event-id@domain>`, where bytes that RFC 5322 does not allow there are written as `=XX`, so that
    /// different events have different ids; of a long one the first 200 bytes, and a digest of all.
    static func messageID(eventID: String, domain: String) -> String {
        let digits = Array("0123456789ABCDEF")
        var local = ""
        for byte in eventID.utf8 {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "-"), UInt8(ascii: "_"):
                local.append(Character(Unicode.Scalar(byte)))
            default:
                local.append("=")
                local.append(digits[Int(byte >> 4)])
                local.append(digits[Int(byte & 0xF)])
            }
        }
        guard local.utf8.count > 250 else { return "<\(local)@\(domain)>" }
        // FNV-1a: a header line has at most 998 bytes (RFC 5322, section 2.1.1).
        let digest = eventID.utf8.reduce(0xCBF2_9CE4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01B3 }
        return "<\(local.prefix(200))=\(String(digest, radix: 16))@\(domain)>"
    }

    /// RFC 5322 date of an event's time, in UTC: `Thu, 01 Jan 2026 00:00:00 +0000`; nil when the time is not RFC 3339.
    static func date(eventTime: String) -> String? {
        guard let milliseconds = Timestamp(rfc3339: eventTime)?.milliseconds else { return nil }
        // `YYYY-MM-DDTHH:MM:SS.sssZ`
        let text = Array(Timestamp(milliseconds: milliseconds).description)
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        guard text.count == 24, let month = Int(String(text[5..<7])), months.indices.contains(month - 1) else {
            return nil
        }
        // 1970-01-01 was a Thursday.
        let weekdays = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
        let day = Int(milliseconds / 86_400_000) - (milliseconds % 86_400_000 < 0 ? 1 : 0)
        let weekday = weekdays[((day % 7) + 7) % 7]
        return "\(weekday), \(String(text[8..<10])) \(months[month - 1]) \(String(text[0..<4])) "
            + "\(String(text[11..<19])) +0000"
    }
}
