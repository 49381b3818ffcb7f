package import AMQPInMemory
internal import Messaging

extension InMemoryPublisher: PublishingConnection {}

extension InMemoryConsumer: ConsumingConnection {
    /// None: the broker of a test begins empty.
    package var readyMessages: Int { 0 }
}
