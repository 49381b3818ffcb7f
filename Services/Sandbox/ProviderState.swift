/// The provider as a value: intents, refunds, idempotency keys and planned faults.
///
/// It does no I/O and knows no clock: each call is given the time in milliseconds since 1970, and says what is answered
/// and how the answer travels. Slow work is settled by time, so that nothing has to come back later to finish it.
struct ProviderState: Sendable {
    /// Where the ids of this provider come from; another one after each reset.
    private let series: String
    private var counter = 0
    private var intents: [PaymentIntent] = []
    private var intentIndex: [String: Int] = [:]
    private var intentsOfOrder: [String: [Int]] = [:]
    private var refunds: [Refund] = []
    private var refundIndex: [String: Int] = [:]
    private var refundsOfIntent: [String: [Int]] = [:]
    private var keys = IdempotencyTable()
    private var faults = FaultPlan()

    /// An empty provider.
    /// - Parameter series: distinguishes its ids from those of other runs; letters and digits.
    init(series: String) {
        self.series = series
    }

    // MARK: The provider's calls

    /// `POST /v1/payment_intents`: makes an intent and, with `confirm=true`, charges it.
    mutating func createIntent(_ form: [String: String], key: String?, at now: Int64) -> ProviderReply {
        once(key, "/v1/payment_intents", form, at: now) { state in
            let request = try IntentRequest(form)
            guard request.confirms, let method = request.paymentMethod else {
                let intent = state.add(request, at: now)
                return .done(.intent(intent))
            }
            let order = request.metadata["order_id"] ?? ""
            return try state.work(under: state.faults.next(charging: method, order: order), at: now) { state, delay in
                var intent = state.add(request, at: now)
                if let delay {
                    intent.status = .processing
                    intent.settlesAt = now + delay
                    state.replace(intent)
                }
                intent.settle()
                if delay == nil { state.replace(intent) }
                guard var error = intent.lastPaymentError else { return .intent(intent) }
                error.paymentIntent = intent.id
                return .error(error)
            }
        }
    }

    /// `POST /v1/payment_intents/{id}/cancel`.
    mutating func cancelIntent(
        _ id: String,
        _ form: [String: String],
        key: String?,
        at now: Int64
    ) -> ProviderReply {
        once(key, "/v1/payment_intents/\(id)/cancel", form, at: now) { state in
            try Parameters(form).allow(["cancellation_reason"])
            var intent = try state.existingIntent(id, at: now)
            switch intent.status {
            case .requiresConfirmation, .requiresPaymentMethod:
                intent.status = .canceled
                intent.cancellationReason = form["cancellation_reason"]
                state.replace(intent)
                return .done(.intent(intent))
            case .processing, .succeeded, .canceled:
                throw ProviderError.invalid(
                    "payment_intent_unexpected_state",
                    "An intent with the status \(intent.status.rawValue) cannot be canceled."
                )
            }
        }
    }

    /// `GET /v1/payment_intents/{id}`.
    func intent(_ id: String, at now: Int64) -> ProviderReply {
        reply { .intent(try existingIntent(id, at: now)) }
    }

    /// `GET /v1/payment_intents/search?query=…`, newest first.
    func searchIntents(_ query: String, at now: Int64) -> ProviderReply {
        reply {
            let query = try SearchQuery(query)
            let candidates = query.metadata["order_id"].map { intentsOfOrder[$0] ?? [] } ?? Array(intents.indices)
            return .intents(candidates.reversed().map { intents[$0].settled(at: now) }.filter(query.matches))
        }
    }

    /// `POST /v1/refunds`: gives the charge of an intent back, whole or in part.
    mutating func createRefund(_ form: [String: String], key: String?, at now: Int64) -> ProviderReply {
        once(key, "/v1/refunds", form, at: now) { state in
            let request = try RefundRequest(form)
            let intent = try state.refundable(request, at: now)
            let amount = request.amount ?? state.unrefunded(of: intent, at: now)
            let fault = state.faults.next(.refund)
            return try state.work(under: fault, at: now) { state, delay in
                .refund(state.addRefund(request, of: intent, amount: amount, delay: delay, at: now))
            }
        }
    }

    /// `GET /v1/refunds/{id}`.
    func refund(_ id: String, at now: Int64) -> ProviderReply {
        reply {
            guard let index = refundIndex[id] else { throw ProviderError.notFound("refund", id) }
            return .refund(refunds[index].settled(at: now))
        }
    }

    /// `GET /v1/refunds?payment_intent=…`, newest first; all of them without an intent.
    func refunds(of intent: String?, at now: Int64) -> ProviderReply {
        reply { .refunds(Array(refundsNow(of: intent, at: now).reversed())) }
    }

    // MARK: Control

    /// Plans a fault for the next `count` calls.
    mutating func plan(_ fault: Fault, for operation: Fault.Operation, count: Int) {
        faults.plan(fault, for: operation, count: count)
    }

    /// Forgets planned faults.
    mutating func clearFaults() {
        faults.clear()
    }

    /// Everything that happened, for those who count charges.
    func ledger(at now: Int64) -> Ledger {
        Ledger(intents: intents.map { $0.settled(at: now) }, refunds: refundsNow(of: nil, at: now))
    }

    // MARK: Idempotency and faults

    /// The outcome of a call that was carried out.
    private struct Outcome {
        var reply: ProviderReply
        /// The answer kept under the idempotency key, and when the key is free for it; nil keeps nothing.
        var kept: (answer: ProviderAnswer, readyAt: Int64?)?

        static func done(_ answer: ProviderAnswer) -> Outcome {
            Outcome(reply: ProviderReply(answer), kept: (answer, nil))
        }

        static func refused(_ error: ProviderError) -> Outcome {
            Outcome(reply: ProviderReply(.error(error)), kept: nil)
        }
    }

    /// Carries a call out at most once per idempotency key.
    ///
    /// What `body` throws was refused before any work began.
    private mutating func once(
        _ key: String?,
        _ path: String,
        _ form: [String: String],
        at now: Int64,
        _ body: (inout ProviderState) throws -> Outcome
    ) -> ProviderReply {
        let call = IdempotencyTable.Call(path: path, parameters: form)
        if let key {
            guard (1...255).contains(key.utf8.count) else {
                return ProviderReply(.error(.invalid(nil, "Idempotency keys have 1 to 255 characters.")))
            }
            switch keys.verdict(on: call, key: key, at: now) {
            case .fresh: break
            case .replay(let answer): return ProviderReply(answer, isReplayed: true)
            case .otherParameters: return ProviderReply(.error(.otherParameters))
            case .inUse: return ProviderReply(.error(.keyInUse))
            }
        }
        do {
            let outcome = try body(&self)
            if let key, let kept = outcome.kept {
                keys.keep(kept.answer, of: call, key: key, readyAt: kept.readyAt ?? now, now: now)
            }
            return outcome.reply
        } catch let error as ProviderError {
            return ProviderReply(.error(error))
        } catch {
            return ProviderReply(.error(.failed))
        }
    }

    /// Does a piece of work under a fault: before it, after it, or later than usual.
    private mutating func work(
        under fault: Fault?,
        at now: Int64,
        _ body: (inout ProviderState, _ delay: Int64?) throws -> ProviderAnswer
    ) throws -> Outcome {
        switch fault?.kind {
        case nil:
            return .done(try body(&self, nil))
        case .error:
            return .refused(.failed)
        case .unavailable:
            return .refused(.unavailable)
        case .rateLimit:
            return .refused(.tooManyRequests)
        case .errorAfter:
            _ = try body(&self, nil)
            return .done(.error(.failed))
        case .timeout:
            var outcome = Outcome.done(try body(&self, nil))
            outcome.reply.transmission = .never
            return outcome
        case .reset:
            var outcome = Outcome.done(try body(&self, nil))
            outcome.reply.transmission = .cutOff
            return outcome
        case .slow, .pending:
            let delay = fault?.delayMilliseconds ?? FaultPlan.standardDelay
            var outcome = Outcome.done(try body(&self, delay))
            if case .refund(let refund) = outcome.reply.answer, fault?.kind == .slow {
                outcome.reply.answer = .refund(refund.settled(at: now + delay))
            }
            if case .refund = outcome.reply.answer, fault?.kind == .pending { return outcome }
            outcome.kept = (outcome.reply.answer, now + delay)
            outcome.reply.transmission = .at(now + delay)
            return outcome
        }
    }

    private func reply(_ body: () throws -> ProviderAnswer) -> ProviderReply {
        do {
            return ProviderReply(try body())
        } catch let error as ProviderError {
            return ProviderReply(.error(error))
        } catch {
            return ProviderReply(.error(.failed))
        }
    }

    // MARK: Tables

    private mutating func makeID(_ prefix: String) -> String {
        counter += 1
        return "\(prefix)_\(series)\(counter)"
    }

    private mutating func add(_ request: IntentRequest, at now: Int64) -> PaymentIntent {
        let intent = PaymentIntent(
            id: makeID("pi"),
            amount: request.amount,
            currency: request.currency,
            metadata: request.metadata,
            created: now / 1000,
            paymentMethod: request.paymentMethod?.rawValue,
            status: request.paymentMethod == nil ? .requiresPaymentMethod : .requiresConfirmation
        )
        intentIndex[intent.id] = intents.count
        intentsOfOrder[intent.order, default: []].append(intents.count)
        intents.append(intent)
        return intent
    }

    private mutating func replace(_ intent: PaymentIntent) {
        guard let index = intentIndex[intent.id] else { return }
        intents[index] = intent
    }

    private func existingIntent(_ id: String, at now: Int64) throws -> PaymentIntent {
        guard let index = intentIndex[id] else { throw ProviderError.notFound("payment_intent", id, param: "intent") }
        return intents[index].settled(at: now)
    }

    private mutating func addRefund(
        _ request: RefundRequest,
        of intent: PaymentIntent,
        amount: Int64,
        delay: Int64?,
        at now: Int64
    ) -> Refund {
        let refund = Refund(
            id: makeID("re"),
            paymentIntent: intent.id,
            amount: amount,
            currency: intent.currency,
            metadata: request.metadata,
            created: now / 1000,
            status: delay == nil ? .succeeded : .pending,
            settlesAt: delay.map { now + $0 }
        )
        refundIndex[refund.id] = refunds.count
        refundsOfIntent[intent.id, default: []].append(refunds.count)
        refunds.append(refund)
        return refund
    }

    private func refundsNow(of intent: String?, at now: Int64) -> [Refund] {
        (intent.map { refundsOfIntent[$0] ?? [] } ?? Array(refunds.indices)).map { refunds[$0].settled(at: now) }
    }

    private func unrefunded(of intent: PaymentIntent, at now: Int64) -> Int64 {
        refundsNow(of: intent.id, at: now).reduce(intent.amount) { $0 - $1.amount }
    }

    private func refundable(_ request: RefundRequest, at now: Int64) throws -> PaymentIntent {
        guard let index = intentIndex[request.paymentIntent] else {
            throw ProviderError.notFound(
                "payment_intent",
                request.paymentIntent,
                param: "payment_intent",
                status: 400
            )
        }
        let intent = intents[index].settled(at: now)
        guard intent.status == .succeeded else {
            throw ProviderError.invalid(
                "payment_intent_unexpected_state",
                "This intent has no successful charge to refund."
            )
        }
        let rest = unrefunded(of: intent, at: now)
        guard rest > 0 else {
            throw ProviderError.invalid("charge_already_refunded", "The charge has already been refunded.")
        }
        if let amount = request.amount, amount > rest {
            throw ProviderError.invalid(
                "amount_too_large",
                "The refund is greater than what is left of the charge.",
                param: "amount"
            )
        }
        return intent
    }
}
