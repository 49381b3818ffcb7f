import Testing

/// The shop as its customers and operators have it: real processes, a real broker, real mail.
///
/// One test after the other: each starts four programs, and the machine is to be busy with one shop at a time.
@Suite("End to end", .serialized, .timeLimit(.minutes(10 + poison / 2_000)))
struct EndToEnd {}
