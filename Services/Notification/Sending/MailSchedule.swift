import Messaging

extension RetryPolicy {
    /// The schedule of mails that the server does not take for now.
    ///
    /// At once; then within 15 s, 30 s, 1, 2, 4, 8, 16 and 32 minutes; from then on within an hour each, 72 attempts in all. Pauses are drawn
    /// as `RetryPolicy` draws them, half of that on average: a server that asks strangers to come again in a quarter of an hour
    /// has the mail within the hour, and one that is away may be so for a day; after about a day and a third, mail is given up.
    /// `WARREN_RETRY_ATTEMPTS` and its like say otherwise.
    static let mail = RetryPolicy(attempts: 72, base: .seconds(15), factor: 2, cap: .seconds(3600))
}
