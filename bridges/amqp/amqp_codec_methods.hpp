// Every method of AMQP 0-9-1 with RabbitMQ's extensions as a plain struct, one line per argument in the order of the
// wire. A decoded method is a set of views into the frame it was read from: copy what must outlive the frame. Tables
// stay bytes until somebody reads them with decode_fields (messages/field_table.hpp).
//
// `fields(m, w)` names the arguments once for both directions: `w` is a byte_reader or a byte_writer. Bits that follow
// each other share an octet. To add a method: its struct here, and its name in `method` at the end.
#pragma once

#include <cstdint>
#include <string_view>
#include <variant>

namespace switchboard::amqp {

/// What a method is called on the wire. {0, 0} in a close says "no method at fault".
struct method_id {
  std::uint16_t class_id = 0;
  std::uint16_t number = 0;

  /// Both in one number, for a switch.
  constexpr std::uint32_t key() const noexcept { return std::uint32_t{class_id} << 16 | number; }
  friend bool operator==(const method_id&, const method_id&) = default;
};

inline constexpr std::uint16_t basic_class = 60; ///< the only class with content

// connection (10)

/// From the server; opens the login: what the server is and offers.
struct connection_start {
  static constexpr method_id id{10, 10};
  static constexpr std::string_view name = "connection.start";
  std::uint8_t version_major = 0;
  std::uint8_t version_minor = 9;
  std::string_view server_properties; ///< table bytes without their length
  std::string_view mechanisms;
  std::string_view locales;
  static void fields(auto& m, auto& w) {
    w.number(m.version_major);
    w.number(m.version_minor);
    w.table(m.server_properties);
    w.long_string(m.mechanisms);
    w.long_string(m.locales);
  }
  friend bool operator==(const connection_start&, const connection_start&) = default;
};

/// From the client; the chosen mechanism and its credentials.
struct connection_start_ok {
  static constexpr method_id id{10, 11};
  static constexpr std::string_view name = "connection.start-ok";
  std::string_view client_properties; ///< table bytes without their length
  std::string_view mechanism;
  std::string_view response;
  std::string_view locale;
  static void fields(auto& m, auto& w) {
    w.table(m.client_properties);
    w.short_string(m.mechanism);
    w.long_string(m.response);
    w.short_string(m.locale);
  }
  friend bool operator==(const connection_start_ok&, const connection_start_ok&) = default;
};

/// From the server; a further challenge of the mechanism.
struct connection_secure {
  static constexpr method_id id{10, 20};
  static constexpr std::string_view name = "connection.secure";
  std::string_view challenge;
  static void fields(auto& m, auto& w) { w.long_string(m.challenge); }
  friend bool operator==(const connection_secure&, const connection_secure&) = default;
};

/// From the client.
struct connection_secure_ok {
  static constexpr method_id id{10, 21};
  static constexpr std::string_view name = "connection.secure-ok";
  std::string_view response;
  static void fields(auto& m, auto& w) { w.long_string(m.response); }
  friend bool operator==(const connection_secure_ok&, const connection_secure_ok&) = default;
};

/// From the server; limits the server proposes.
struct connection_tune {
  static constexpr method_id id{10, 30};
  static constexpr std::string_view name = "connection.tune";
  std::uint16_t channel_max = 0;
  std::uint32_t frame_max = 0;
  std::uint16_t heartbeat = 0;
  static void fields(auto& m, auto& w) {
    w.number(m.channel_max);
    w.number(m.frame_max);
    w.number(m.heartbeat);
  }
  friend bool operator==(const connection_tune&, const connection_tune&) = default;
};

/// From the client; limits the client settles on; heartbeat in seconds.
struct connection_tune_ok {
  static constexpr method_id id{10, 31};
  static constexpr std::string_view name = "connection.tune-ok";
  std::uint16_t channel_max = 0;
  std::uint32_t frame_max = 0;
  std::uint16_t heartbeat = 0;
  static void fields(auto& m, auto& w) {
    w.number(m.channel_max);
    w.number(m.frame_max);
    w.number(m.heartbeat);
  }
  friend bool operator==(const connection_tune_ok&, const connection_tune_ok&) = default;
};

/// From the client.
struct connection_open {
  static constexpr method_id id{10, 40};
  static constexpr std::string_view name = "connection.open";
  std::string_view virtual_host;
  std::string_view reserved_1;
  bool reserved_2 = false;
  static void fields(auto& m, auto& w) {
    w.short_string(m.virtual_host);
    w.short_string(m.reserved_1);
    w.bits(m.reserved_2);
  }
  friend bool operator==(const connection_open&, const connection_open&) = default;
};

/// From the server.
struct connection_open_ok {
  static constexpr method_id id{10, 41};
  static constexpr std::string_view name = "connection.open-ok";
  std::string_view reserved_1;
  static void fields(auto& m, auto& w) { w.short_string(m.reserved_1); }
  friend bool operator==(const connection_open_ok&, const connection_open_ok&) = default;
};

/// Both ways; `fault` is the method at fault, {0, 0} if none.
struct connection_close {
  static constexpr method_id id{10, 50};
  static constexpr std::string_view name = "connection.close";
  std::uint16_t code = 0;
  std::string_view text;
  method_id fault;
  static void fields(auto& m, auto& w) {
    w.number(m.code);
    w.short_string(m.text);
    w.number(m.fault.class_id);
    w.number(m.fault.number);
  }
  friend bool operator==(const connection_close&, const connection_close&) = default;
};

/// Both ways.
struct connection_close_ok {
  static constexpr method_id id{10, 51};
  static constexpr std::string_view name = "connection.close-ok";
  static void fields(auto&, auto&) {}
  friend bool operator==(const connection_close_ok&, const connection_close_ok&) = default;
};

/// From the server; RabbitMQ: publishing is stopped for now.
struct connection_blocked {
  static constexpr method_id id{10, 60};
  static constexpr std::string_view name = "connection.blocked";
  std::string_view reason;
  static void fields(auto& m, auto& w) { w.short_string(m.reason); }
  friend bool operator==(const connection_blocked&, const connection_blocked&) = default;
};

/// From the server.
struct connection_unblocked {
  static constexpr method_id id{10, 61};
  static constexpr std::string_view name = "connection.unblocked";
  static void fields(auto&, auto&) {}
  friend bool operator==(const connection_unblocked&, const connection_unblocked&) = default;
};

/// From the client; RabbitMQ: a fresh token for a living connection.
struct connection_update_secret {
  static constexpr method_id id{10, 70};
  static constexpr std::string_view name = "connection.update-secret";
  std::string_view new_secret;
  std::string_view reason;
  static void fields(auto& m, auto& w) {
    w.long_string(m.new_secret);
    w.short_string(m.reason);
  }
  friend bool operator==(const connection_update_secret&, const connection_update_secret&) = default;
};

/// From the server.
struct connection_update_secret_ok {
  static constexpr method_id id{10, 71};
  static constexpr std::string_view name = "connection.update-secret-ok";
  static void fields(auto&, auto&) {}
  friend bool operator==(const connection_update_secret_ok&, const connection_update_secret_ok&) = default;
};

// channel (20)

/// From the client.
struct channel_open {
  static constexpr method_id id{20, 10};
  static constexpr std::string_view name = "channel.open";
  std::string_view reserved_1;
  static void fields(auto& m, auto& w) { w.short_string(m.reserved_1); }
  friend bool operator==(const channel_open&, const channel_open&) = default;
};

/// From the server.
struct channel_open_ok {
  static constexpr method_id id{20, 11};
  static constexpr std::string_view name = "channel.open-ok";
  std::string_view reserved_1;
  static void fields(auto& m, auto& w) { w.long_string(m.reserved_1); }
  friend bool operator==(const channel_open_ok&, const channel_open_ok&) = default;
};

/// Both ways.
struct channel_flow {
  static constexpr method_id id{20, 20};
  static constexpr std::string_view name = "channel.flow";
  bool active = false;
  static void fields(auto& m, auto& w) { w.bits(m.active); }
  friend bool operator==(const channel_flow&, const channel_flow&) = default;
};

/// Both ways.
struct channel_flow_ok {
  static constexpr method_id id{20, 21};
  static constexpr std::string_view name = "channel.flow-ok";
  bool active = false;
  static void fields(auto& m, auto& w) { w.bits(m.active); }
  friend bool operator==(const channel_flow_ok&, const channel_flow_ok&) = default;
};

/// Both ways.
struct channel_close {
  static constexpr method_id id{20, 40};
  static constexpr std::string_view name = "channel.close";
  std::uint16_t code = 0;
  std::string_view text;
  method_id fault;
  static void fields(auto& m, auto& w) {
    w.number(m.code);
    w.short_string(m.text);
    w.number(m.fault.class_id);
    w.number(m.fault.number);
  }
  friend bool operator==(const channel_close&, const channel_close&) = default;
};

/// Both ways.
struct channel_close_ok {
  static constexpr method_id id{20, 41};
  static constexpr std::string_view name = "channel.close-ok";
  static void fields(auto&, auto&) {}
  friend bool operator==(const channel_close_ok&, const channel_close_ok&) = default;
};

// access (30)

/// From the client; of 0-8; old clients still ask for a ticket.
struct access_request {
  static constexpr method_id id{30, 10};
  static constexpr std::string_view name = "access.request";
  std::string_view realm;
  bool exclusive = false;
  bool passive = false;
  bool active = false;
  bool write = false;
  bool read = false;
  static void fields(auto& m, auto& w) {
    w.short_string(m.realm);
    w.bits(m.exclusive, m.passive, m.active, m.write, m.read);
  }
  friend bool operator==(const access_request&, const access_request&) = default;
};

/// From the server.
struct access_request_ok {
  static constexpr method_id id{30, 11};
  static constexpr std::string_view name = "access.request-ok";
  std::uint16_t ticket = 1;
  static void fields(auto& m, auto& w) { w.number(m.ticket); }
  friend bool operator==(const access_request_ok&, const access_request_ok&) = default;
};

// exchange (40)

/// From the client.
struct exchange_declare {
  static constexpr method_id id{40, 10};
  static constexpr std::string_view name = "exchange.declare";
  std::uint16_t ticket = 0;
  std::string_view exchange;
  std::string_view type;
  bool passive = false;
  bool durable = false;
  bool auto_delete = false;
  bool internal = false;
  bool no_wait = false;
  std::string_view arguments; ///< table bytes without their length
  static void fields(auto& m, auto& w) {
    w.number(m.ticket);
    w.short_string(m.exchange);
    w.short_string(m.type);
    w.bits(m.passive, m.durable, m.auto_delete, m.internal, m.no_wait);
    w.table(m.arguments);
  }
  friend bool operator==(const exchange_declare&, const exchange_declare&) = default;
};

/// From the server.
struct exchange_declare_ok {
  static constexpr method_id id{40, 11};
  static constexpr std::string_view name = "exchange.declare-ok";
  static void fields(auto&, auto&) {}
  friend bool operator==(const exchange_declare_ok&, const exchange_declare_ok&) = default;
};

/// From the client.
struct exchange_delete {
  static constexpr method_id id{40, 20};
  static constexpr std::string_view name = "exchange.delete";
  std::uint16_t ticket = 0;
  std::string_view exchange;
  bool if_unused = false;
  bool no_wait = false;
  static void fields(auto& m, auto& w) {
    w.number(m.ticket);
    w.short_string(m.exchange);
    w.bits(m.if_unused, m.no_wait);
  }
  friend bool operator==(const exchange_delete&, const exchange_delete&) = default;
};

/// From the server.
struct exchange_delete_ok {
  static constexpr method_id id{40, 21};
  static constexpr std::string_view name = "exchange.delete-ok";
  static void fields(auto&, auto&) {}
  friend bool operator==(const exchange_delete_ok&, const exchange_delete_ok&) = default;
};

/// From the client; RabbitMQ: an exchange behind an exchange.
struct exchange_bind {
  static constexpr method_id id{40, 30};
  static constexpr std::string_view name = "exchange.bind";
  std::uint16_t ticket = 0;
  std::string_view destination;
  std::string_view source;
  std::string_view routing_key;
  bool no_wait = false;
  std::string_view arguments; ///< table bytes without their length
  static void fields(auto& m, auto& w) {
    w.number(m.ticket);
    w.short_string(m.destination);
    w.short_string(m.source);
    w.short_string(m.routing_key);
    w.bits(m.no_wait);
    w.table(m.arguments);
  }
  friend bool operator==(const exchange_bind&, const exchange_bind&) = default;
};

/// From the server.
struct exchange_bind_ok {
  static constexpr method_id id{40, 31};
  static constexpr std::string_view name = "exchange.bind-ok";
  static void fields(auto&, auto&) {}
  friend bool operator==(const exchange_bind_ok&, const exchange_bind_ok&) = default;
};

/// From the client.
struct exchange_unbind {
  static constexpr method_id id{40, 40};
  static constexpr std::string_view name = "exchange.unbind";
  std::uint16_t ticket = 0;
  std::string_view destination;
  std::string_view source;
  std::string_view routing_key;
  bool no_wait = false;
  std::string_view arguments; ///< table bytes without their length
  static void fields(auto& m, auto& w) {
    w.number(m.ticket);
    w.short_string(m.destination);
    w.short_string(m.source);
    w.short_string(m.routing_key);
    w.bits(m.no_wait);
    w.table(m.arguments);
  }
  friend bool operator==(const exchange_unbind&, const exchange_unbind&) = default;
};

/// From the server.
struct exchange_unbind_ok {
  static constexpr method_id id{40, 51};
  static constexpr std::string_view name = "exchange.unbind-ok";
  static void fields(auto&, auto&) {}
  friend bool operator==(const exchange_unbind_ok&, const exchange_unbind_ok&) = default;
};

// queue (50)

/// From the client.
struct queue_declare {
  static constexpr method_id id{50, 10};
  static constexpr std::string_view name = "queue.declare";
  std::uint16_t ticket = 0;
  std::string_view queue;
  bool passive = false;
  bool durable = false;
  bool exclusive = false;
  bool auto_delete = false;
  bool no_wait = false;
  std::string_view arguments; ///< table bytes without their length
  static void fields(auto& m, auto& w) {
    w.number(m.ticket);
    w.short_string(m.queue);
    w.bits(m.passive, m.durable, m.exclusive, m.auto_delete, m.no_wait);
    w.table(m.arguments);
  }
  friend bool operator==(const queue_declare&, const queue_declare&) = default;
};

/// From the server.
struct queue_declare_ok {
  static constexpr method_id id{50, 11};
  static constexpr std::string_view name = "queue.declare-ok";
  std::string_view queue;
  std::uint32_t message_count = 0;
  std::uint32_t consumer_count = 0;
  static void fields(auto& m, auto& w) {
    w.short_string(m.queue);
    w.number(m.message_count);
    w.number(m.consumer_count);
  }
  friend bool operator==(const queue_declare_ok&, const queue_declare_ok&) = default;
};

/// From the client.
struct queue_bind {
  static constexpr method_id id{50, 20};
  static constexpr std::string_view name = "queue.bind";
  std::uint16_t ticket = 0;
  std::string_view queue;
  std::string_view exchange;
  std::string_view routing_key;
  bool no_wait = false;
  std::string_view arguments; ///< table bytes without their length
  static void fields(auto& m, auto& w) {
    w.number(m.ticket);
    w.short_string(m.queue);
    w.short_string(m.exchange);
    w.short_string(m.routing_key);
    w.bits(m.no_wait);
    w.table(m.arguments);
  }
  friend bool operator==(const queue_bind&, const queue_bind&) = default;
};

/// From the server.
struct queue_bind_ok {
  static constexpr method_id id{50, 21};
  static constexpr std::string_view name = "queue.bind-ok";
  static void fields(auto&, auto&) {}
  friend bool operator==(const queue_bind_ok&, const queue_bind_ok&) = default;
};

/// From the client.
struct queue_purge {
  static constexpr method_id id{50, 30};
  static constexpr std::string_view name = "queue.purge";
  std::uint16_t ticket = 0;
  std::string_view queue;
  bool no_wait = false;
  static void fields(auto& m, auto& w) {
    w.number(m.ticket);
    w.short_string(m.queue);
    w.bits(m.no_wait);
  }
  friend bool operator==(const queue_purge&, const queue_purge&) = default;
};

/// From the server.
struct queue_purge_ok {
  static constexpr method_id id{50, 31};
  static constexpr std::string_view name = "queue.purge-ok";
  std::uint32_t message_count = 0;
  static void fields(auto& m, auto& w) { w.number(m.message_count); }
  friend bool operator==(const queue_purge_ok&, const queue_purge_ok&) = default;
};

/// From the client.
struct queue_delete {
  static constexpr method_id id{50, 40};
  static constexpr std::string_view name = "queue.delete";
  std::uint16_t ticket = 0;
  std::string_view queue;
  bool if_unused = false;
  bool if_empty = false;
  bool no_wait = false;
  static void fields(auto& m, auto& w) {
    w.number(m.ticket);
    w.short_string(m.queue);
    w.bits(m.if_unused, m.if_empty, m.no_wait);
  }
  friend bool operator==(const queue_delete&, const queue_delete&) = default;
};

/// From the server.
struct queue_delete_ok {
  static constexpr method_id id{50, 41};
  static constexpr std::string_view name = "queue.delete-ok";
  std::uint32_t message_count = 0;
  static void fields(auto& m, auto& w) { w.number(m.message_count); }
  friend bool operator==(const queue_delete_ok&, const queue_delete_ok&) = default;
};

/// From the client; has no no_wait.
struct queue_unbind {
  static constexpr method_id id{50, 50};
  static constexpr std::string_view name = "queue.unbind";
  std::uint16_t ticket = 0;
  std::string_view queue;
  std::string_view exchange;
  std::string_view routing_key;
  std::string_view arguments; ///< table bytes without their length
  static void fields(auto& m, auto& w) {
    w.number(m.ticket);
    w.short_string(m.queue);
    w.short_string(m.exchange);
    w.short_string(m.routing_key);
    w.table(m.arguments);
  }
  friend bool operator==(const queue_unbind&, const queue_unbind&) = default;
};

/// From the server.
struct queue_unbind_ok {
  static constexpr method_id id{50, 51};
  static constexpr std::string_view name = "queue.unbind-ok";
  static void fields(auto&, auto&) {}
  friend bool operator==(const queue_unbind_ok&, const queue_unbind_ok&) = default;
};

// basic (60)

/// From the client.
struct basic_qos {
  static constexpr method_id id{60, 10};
  static constexpr std::string_view name = "basic.qos";
  std::uint32_t prefetch_size = 0;
  std::uint16_t prefetch_count = 0;
  bool global = false;
  static void fields(auto& m, auto& w) {
    w.number(m.prefetch_size);
    w.number(m.prefetch_count);
    w.bits(m.global);
  }
  friend bool operator==(const basic_qos&, const basic_qos&) = default;
};

/// From the server.
struct basic_qos_ok {
  static constexpr method_id id{60, 11};
  static constexpr std::string_view name = "basic.qos-ok";
  static void fields(auto&, auto&) {}
  friend bool operator==(const basic_qos_ok&, const basic_qos_ok&) = default;
};

/// From the client.
struct basic_consume {
  static constexpr method_id id{60, 20};
  static constexpr std::string_view name = "basic.consume";
  std::uint16_t ticket = 0;
  std::string_view queue;
  std::string_view consumer_tag;
  bool no_local = false;
  bool no_ack = false;
  bool exclusive = false;
  bool no_wait = false;
  std::string_view arguments; ///< table bytes without their length
  static void fields(auto& m, auto& w) {
    w.number(m.ticket);
    w.short_string(m.queue);
    w.short_string(m.consumer_tag);
    w.bits(m.no_local, m.no_ack, m.exclusive, m.no_wait);
    w.table(m.arguments);
  }
  friend bool operator==(const basic_consume&, const basic_consume&) = default;
};

/// From the server.
struct basic_consume_ok {
  static constexpr method_id id{60, 21};
  static constexpr std::string_view name = "basic.consume-ok";
  std::string_view consumer_tag;
  static void fields(auto& m, auto& w) { w.short_string(m.consumer_tag); }
  friend bool operator==(const basic_consume_ok&, const basic_consume_ok&) = default;
};

/// Both ways; from the server (no_wait set): the queue is gone.
struct basic_cancel {
  static constexpr method_id id{60, 30};
  static constexpr std::string_view name = "basic.cancel";
  std::string_view consumer_tag;
  bool no_wait = false;
  static void fields(auto& m, auto& w) {
    w.short_string(m.consumer_tag);
    w.bits(m.no_wait);
  }
  friend bool operator==(const basic_cancel&, const basic_cancel&) = default;
};

/// Both ways.
struct basic_cancel_ok {
  static constexpr method_id id{60, 31};
  static constexpr std::string_view name = "basic.cancel-ok";
  std::string_view consumer_tag;
  static void fields(auto& m, auto& w) { w.short_string(m.consumer_tag); }
  friend bool operator==(const basic_cancel_ok&, const basic_cancel_ok&) = default;
};

/// From the client; content follows.
struct basic_publish {
  static constexpr method_id id{60, 40};
  static constexpr std::string_view name = "basic.publish";
  std::uint16_t ticket = 0;
  std::string_view exchange;
  std::string_view routing_key;
  bool mandatory = false;
  bool immediate = false;
  static void fields(auto& m, auto& w) {
    w.number(m.ticket);
    w.short_string(m.exchange);
    w.short_string(m.routing_key);
    w.bits(m.mandatory, m.immediate);
  }
  friend bool operator==(const basic_publish&, const basic_publish&) = default;
};

/// From the server; content follows.
struct basic_return {
  static constexpr method_id id{60, 50};
  static constexpr std::string_view name = "basic.return";
  std::uint16_t code = 0;
  std::string_view text;
  std::string_view exchange;
  std::string_view routing_key;
  static void fields(auto& m, auto& w) {
    w.number(m.code);
    w.short_string(m.text);
    w.short_string(m.exchange);
    w.short_string(m.routing_key);
  }
  friend bool operator==(const basic_return&, const basic_return&) = default;
};

/// From the server; content follows.
struct basic_deliver {
  static constexpr method_id id{60, 60};
  static constexpr std::string_view name = "basic.deliver";
  std::string_view consumer_tag;
  std::uint64_t delivery_tag = 0;
  bool redelivered = false;
  std::string_view exchange;
  std::string_view routing_key;
  static void fields(auto& m, auto& w) {
    w.short_string(m.consumer_tag);
    w.number(m.delivery_tag);
    w.bits(m.redelivered);
    w.short_string(m.exchange);
    w.short_string(m.routing_key);
  }
  friend bool operator==(const basic_deliver&, const basic_deliver&) = default;
};

/// From the client.
struct basic_get {
  static constexpr method_id id{60, 70};
  static constexpr std::string_view name = "basic.get";
  std::uint16_t ticket = 0;
  std::string_view queue;
  bool no_ack = false;
  static void fields(auto& m, auto& w) {
    w.number(m.ticket);
    w.short_string(m.queue);
    w.bits(m.no_ack);
  }
  friend bool operator==(const basic_get&, const basic_get&) = default;
};

/// From the server; content follows.
struct basic_get_ok {
  static constexpr method_id id{60, 71};
  static constexpr std::string_view name = "basic.get-ok";
  std::uint64_t delivery_tag = 0;
  bool redelivered = false;
  std::string_view exchange;
  std::string_view routing_key;
  std::uint32_t message_count = 0;
  static void fields(auto& m, auto& w) {
    w.number(m.delivery_tag);
    w.bits(m.redelivered);
    w.short_string(m.exchange);
    w.short_string(m.routing_key);
    w.number(m.message_count);
  }
  friend bool operator==(const basic_get_ok&, const basic_get_ok&) = default;
};

/// From the server.
struct basic_get_empty {
  static constexpr method_id id{60, 72};
  static constexpr std::string_view name = "basic.get-empty";
  std::string_view reserved_1;
  static void fields(auto& m, auto& w) { w.short_string(m.reserved_1); }
  friend bool operator==(const basic_get_empty&, const basic_get_empty&) = default;
};

/// Both ways; from the server: a publisher confirm.
struct basic_ack {
  static constexpr method_id id{60, 80};
  static constexpr std::string_view name = "basic.ack";
  std::uint64_t delivery_tag = 0;
  bool multiple = false;
  static void fields(auto& m, auto& w) {
    w.number(m.delivery_tag);
    w.bits(m.multiple);
  }
  friend bool operator==(const basic_ack&, const basic_ack&) = default;
};

/// From the client.
struct basic_reject {
  static constexpr method_id id{60, 90};
  static constexpr std::string_view name = "basic.reject";
  std::uint64_t delivery_tag = 0;
  bool requeue = false;
  static void fields(auto& m, auto& w) {
    w.number(m.delivery_tag);
    w.bits(m.requeue);
  }
  friend bool operator==(const basic_reject&, const basic_reject&) = default;
};

/// From the client; has no answer.
struct basic_recover_async {
  static constexpr method_id id{60, 100};
  static constexpr std::string_view name = "basic.recover-async";
  bool requeue = false;
  static void fields(auto& m, auto& w) { w.bits(m.requeue); }
  friend bool operator==(const basic_recover_async&, const basic_recover_async&) = default;
};

/// From the client.
struct basic_recover {
  static constexpr method_id id{60, 110};
  static constexpr std::string_view name = "basic.recover";
  bool requeue = false;
  static void fields(auto& m, auto& w) { w.bits(m.requeue); }
  friend bool operator==(const basic_recover&, const basic_recover&) = default;
};

/// From the server.
struct basic_recover_ok {
  static constexpr method_id id{60, 111};
  static constexpr std::string_view name = "basic.recover-ok";
  static void fields(auto&, auto&) {}
  friend bool operator==(const basic_recover_ok&, const basic_recover_ok&) = default;
};

/// Both ways; RabbitMQ; from the server: a confirm that says no.
struct basic_nack {
  static constexpr method_id id{60, 120};
  static constexpr std::string_view name = "basic.nack";
  std::uint64_t delivery_tag = 0;
  bool multiple = false;
  bool requeue = false;
  static void fields(auto& m, auto& w) {
    w.number(m.delivery_tag);
    w.bits(m.multiple, m.requeue);
  }
  friend bool operator==(const basic_nack&, const basic_nack&) = default;
};

/// From the client; RabbitMQ, for its AMQP 1.0 bridge.
struct basic_credit {
  static constexpr method_id id{60, 200};
  static constexpr std::string_view name = "basic.credit";
  std::string_view consumer_tag;
  std::uint32_t credit = 0;
  bool drain = false;
  static void fields(auto& m, auto& w) {
    w.short_string(m.consumer_tag);
    w.number(m.credit);
    w.bits(m.drain);
  }
  friend bool operator==(const basic_credit&, const basic_credit&) = default;
};

/// From the server.
struct basic_credit_ok {
  static constexpr method_id id{60, 201};
  static constexpr std::string_view name = "basic.credit-ok";
  std::uint32_t available = 0;
  static void fields(auto& m, auto& w) { w.number(m.available); }
  friend bool operator==(const basic_credit_ok&, const basic_credit_ok&) = default;
};

/// From the server.
struct basic_credit_drained {
  static constexpr method_id id{60, 202};
  static constexpr std::string_view name = "basic.credit-drained";
  std::string_view consumer_tag;
  std::uint32_t credit_drained = 0;
  static void fields(auto& m, auto& w) {
    w.short_string(m.consumer_tag);
    w.number(m.credit_drained);
  }
  friend bool operator==(const basic_credit_drained&, const basic_credit_drained&) = default;
};

// confirm (85)

/// From the client.
struct confirm_select {
  static constexpr method_id id{85, 10};
  static constexpr std::string_view name = "confirm.select";
  bool no_wait = false;
  static void fields(auto& m, auto& w) { w.bits(m.no_wait); }
  friend bool operator==(const confirm_select&, const confirm_select&) = default;
};

/// From the server.
struct confirm_select_ok {
  static constexpr method_id id{85, 11};
  static constexpr std::string_view name = "confirm.select-ok";
  static void fields(auto&, auto&) {}
  friend bool operator==(const confirm_select_ok&, const confirm_select_ok&) = default;
};

// tx (90)

/// From the client.
struct tx_select {
  static constexpr method_id id{90, 10};
  static constexpr std::string_view name = "tx.select";
  static void fields(auto&, auto&) {}
  friend bool operator==(const tx_select&, const tx_select&) = default;
};

/// From the server.
struct tx_select_ok {
  static constexpr method_id id{90, 11};
  static constexpr std::string_view name = "tx.select-ok";
  static void fields(auto&, auto&) {}
  friend bool operator==(const tx_select_ok&, const tx_select_ok&) = default;
};

/// From the client.
struct tx_commit {
  static constexpr method_id id{90, 20};
  static constexpr std::string_view name = "tx.commit";
  static void fields(auto&, auto&) {}
  friend bool operator==(const tx_commit&, const tx_commit&) = default;
};

/// From the server.
struct tx_commit_ok {
  static constexpr method_id id{90, 21};
  static constexpr std::string_view name = "tx.commit-ok";
  static void fields(auto&, auto&) {}
  friend bool operator==(const tx_commit_ok&, const tx_commit_ok&) = default;
};

/// From the client.
struct tx_rollback {
  static constexpr method_id id{90, 30};
  static constexpr std::string_view name = "tx.rollback";
  static void fields(auto&, auto&) {}
  friend bool operator==(const tx_rollback&, const tx_rollback&) = default;
};

/// From the server.
struct tx_rollback_ok {
  static constexpr method_id id{90, 31};
  static constexpr std::string_view name = "tx.rollback-ok";
  static void fields(auto&, auto&) {}
  friend bool operator==(const tx_rollback_ok&, const tx_rollback_ok&) = default;
};

/// Any method.
using method =
    std::variant<connection_start, connection_start_ok, connection_secure, connection_secure_ok, connection_tune,
                 connection_tune_ok, connection_open, connection_open_ok, connection_close, connection_close_ok,
                 connection_blocked, connection_unblocked, connection_update_secret, connection_update_secret_ok,
                 channel_open, channel_open_ok, channel_flow, channel_flow_ok, channel_close, channel_close_ok,
                 access_request, access_request_ok, exchange_declare, exchange_declare_ok, exchange_delete,
                 exchange_delete_ok, exchange_bind, exchange_bind_ok, exchange_unbind, exchange_unbind_ok,
                 queue_declare, queue_declare_ok, queue_bind, queue_bind_ok, queue_purge, queue_purge_ok, queue_delete,
                 queue_delete_ok, queue_unbind, queue_unbind_ok, basic_qos, basic_qos_ok, basic_consume,
                 basic_consume_ok, basic_cancel, basic_cancel_ok, basic_publish, basic_return, basic_deliver, basic_get,
                 basic_get_ok, basic_get_empty, basic_ack, basic_reject, basic_recover_async, basic_recover,
                 basic_recover_ok, basic_nack, basic_credit, basic_credit_ok, basic_credit_drained, confirm_select,
                 confirm_select_ok, tx_select, tx_select_ok, tx_commit, tx_commit_ok, tx_rollback, tx_rollback_ok>;

} // namespace switchboard::amqp
