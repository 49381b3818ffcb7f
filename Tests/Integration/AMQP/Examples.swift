import AMQP
import Telemetry

// The examples of the articles in Shared/AMQP/AMQP.docc. What stands between `// example` and `// end` is quoted there
// word for word, which `ExampleTests` checks, and runs here against a broker.

enum Examples {
    static func publish(urls: [String], logger: Logger) async throws {
        // example Publishing
        var topology = BrokerTopology()
        topology.queues = [.init(name: "greetings", arguments: ["x-queue-type": .string("quorum")])]
        let configuration = try ConnectionConfiguration(urls: urls, name: "greeter")
        let publisher = Publisher(configuration, topology: topology, logger: logger)

        let running = Task { await publisher.run() }
        var message = Message(body: Array("hello".utf8))
        message.properties.deliveryMode = 2
        message.properties.messageID = "greeting-1"
        do {
            try await publisher.publish(Publication(exchange: "", routingKey: "greetings", message: message))
        } catch let error as AMQPError where error.mayHaveArrived {
            // In doubt: publish it again under the same message id; whoever consumes it knows it by that.
            try await publisher.publish(Publication(exchange: "", routingKey: "greetings", message: message))
        }
        running.cancel()
        await running.value
        // end
    }

    static func consume(urls: [String], logger: Logger, handle: ([UInt8]) async throws -> Void) async throws {
        // example Consuming
        var topology = BrokerTopology()
        topology.queues = [.init(name: "greetings", arguments: ["x-queue-type": .string("quorum")])]
        let configuration = try ConnectionConfiguration(urls: urls, name: "listener")
        let consumer = Consumer(configuration, queue: "greetings", prefetch: 100, topology: topology, logger: logger)

        let running = Task { await consumer.run() }
        for await burst in consumer.bursts {
            for delivery in burst {
                do {
                    try await handle(delivery.message.body)
                    consumer.ack(delivery.tag)
                } catch {
                    consumer.reject(delivery.tag, requeue: false)
                }
            }
            // An example comes to an end; a service goes on until it is told to stop.
            consumer.stopConsuming()
        }
        running.cancel()
        await running.value
        // end
    }

    static func watch(
        urls: [String],
        logger: Logger,
        readSecret: @escaping @Sendable () throws -> Credentials
    ) async throws {
        // example Recovery
        var configuration = try ConnectionConfiguration(urls: urls, name: "greeter")
        configuration.credentials = readSecret
        configuration.backoff = .milliseconds(200) ... .seconds(10)
        let publisher = Publisher(configuration, logger: logger)

        let running = Task { await publisher.run() }
        for await state in publisher.states {
            switch state {
            case .ready: running.cancel()
            case .connecting: logger.debug("Connecting")
            case .blocked(let reason): logger.warning("Blocked", [LogField("reason", reason)])
            case .closed(let cause): logger.debug("Closed", [LogField("cause", cause)])
            }
        }
        await running.value
        // end
    }

    static func secure(logger: Logger) throws -> Publisher {
        // example TLS
        let url =
            "amqps://broker.example.org/shop?auth_mechanism=external"
            + "&cacertfile=/etc/shop/ca.pem&certfile=/etc/shop/client.pem&keyfile=/etc/shop/client.key"
        let configuration = try ConnectionConfiguration(urls: [url], name: "greeter")
        let publisher = Publisher(configuration, logger: logger)
        // end
        return publisher
    }

    static func tidy(urls: [String], topology: BrokerTopology, logger: Logger) async throws {
        // example Alone
        let administration = BrokerAdministration(try ConnectionConfiguration(urls: urls, name: "janitor"))
        try await administration.declare(topology)
        if let counts = try await administration.counts(of: "jobs"), counts.consumers == 0 {
            logger.info("nobody reads jobs", [LogField("messages", counts.ready)])
            try await administration.purge(queue: "jobs")
            try await administration.delete(queue: "jobs")
        }
        // end
    }
}
