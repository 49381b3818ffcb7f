import CRabbitMQ

extension MessageProperties {
    /// The properties as the C library takes them, in the arena's memory.
    ///
    /// - Parameter user: whose message it is where it does not say so itself; at most 255 bytes.
    func makeC(in arena: CArena, from user: String? = nil) -> amqp_basic_properties_t {
        var result = unsafe amqp_basic_properties_t()
        func set(_ flag: Int32, _ value: String?, _ field: WritableKeyPath<amqp_basic_properties_t, amqp_bytes_t>) {
            guard let value else { return }
            unsafe result._flags |= UInt32(flag)
            unsafe result[keyPath: field] = arena.bytes(value)
        }
        unsafe set(AMQP_BASIC_CONTENT_TYPE_FLAG, contentType, \.content_type)
        unsafe set(AMQP_BASIC_CONTENT_ENCODING_FLAG, contentEncoding, \.content_encoding)
        unsafe set(AMQP_BASIC_CORRELATION_ID_FLAG, correlationID, \.correlation_id)
        unsafe set(AMQP_BASIC_REPLY_TO_FLAG, replyTo, \.reply_to)
        unsafe set(AMQP_BASIC_EXPIRATION_FLAG, expiration, \.expiration)
        unsafe set(AMQP_BASIC_MESSAGE_ID_FLAG, messageID, \.message_id)
        unsafe set(AMQP_BASIC_TYPE_FLAG, type, \.type)
        unsafe set(AMQP_BASIC_USER_ID_FLAG, userID ?? user, \.user_id)
        unsafe set(AMQP_BASIC_APP_ID_FLAG, appID, \.app_id)
        unsafe set(AMQP_BASIC_CLUSTER_ID_FLAG, clusterID, \.cluster_id)
        if let headers {
            unsafe result._flags |= UInt32(AMQP_BASIC_HEADERS_FLAG)
            unsafe result.headers = headers.makeC(in: arena)
        }
        if let deliveryMode {
            unsafe result._flags |= UInt32(AMQP_BASIC_DELIVERY_MODE_FLAG)
            unsafe result.delivery_mode = deliveryMode
        }
        if let priority {
            unsafe result._flags |= UInt32(AMQP_BASIC_PRIORITY_FLAG)
            unsafe result.priority = priority
        }
        if let timestamp {
            unsafe result._flags |= UInt32(AMQP_BASIC_TIMESTAMP_FLAG)
            unsafe result.timestamp = timestamp
        }
        return unsafe result
    }

    /// A copy of properties of the C library.
    init(_ source: amqp_basic_properties_t) {
        let flags = unsafe source._flags
        func has(_ flag: Int32) -> Bool { flags & UInt32(flag) != 0 }
        self.init()
        if has(AMQP_BASIC_CONTENT_TYPE_FLAG) { contentType = unsafe source.content_type.text }
        if has(AMQP_BASIC_CONTENT_ENCODING_FLAG) { contentEncoding = unsafe source.content_encoding.text }
        if has(AMQP_BASIC_HEADERS_FLAG) { headers = unsafe FieldTable(source.headers) }
        if has(AMQP_BASIC_DELIVERY_MODE_FLAG) { deliveryMode = unsafe source.delivery_mode }
        if has(AMQP_BASIC_PRIORITY_FLAG) { priority = unsafe source.priority }
        if has(AMQP_BASIC_CORRELATION_ID_FLAG) { correlationID = unsafe source.correlation_id.text }
        if has(AMQP_BASIC_REPLY_TO_FLAG) { replyTo = unsafe source.reply_to.text }
        if has(AMQP_BASIC_EXPIRATION_FLAG) { expiration = unsafe source.expiration.text }
        if has(AMQP_BASIC_MESSAGE_ID_FLAG) { messageID = unsafe source.message_id.text }
        if has(AMQP_BASIC_TIMESTAMP_FLAG) { timestamp = unsafe source.timestamp }
        if has(AMQP_BASIC_TYPE_FLAG) { type = unsafe source.type.text }
        if has(AMQP_BASIC_USER_ID_FLAG) { userID = unsafe source.user_id.text }
        if has(AMQP_BASIC_APP_ID_FLAG) { appID = unsafe source.app_id.text }
        if has(AMQP_BASIC_CLUSTER_ID_FLAG) { clusterID = unsafe source.cluster_id.text }
    }
}
