// The canonical message of the broker: where it was published, its AMQP basic properties and its body. Every bridge
// converts to and from this form, never to another bridge's. Bodies are opaque bytes here; only who decides parses
// them.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace switchboard {

/// One immutable message in one block of memory, shared by all queues and sessions that hold it.
/// Thread-safe once built. `resident_bytes()` counts all living messages of the process: the broker's memory bound.
class message {
public:
  std::string_view exchange() const noexcept { return {data(), exchange_size_}; }
  std::string_view routing_key() const noexcept { return {data() + exchange_size_, routing_key_size_}; }
  /// AMQP 0-9-1 content header payload after body size: property flags and property list (4.2.6.1), unparsed.
  /// messages/properties.hpp reads it.
  std::string_view properties() const noexcept {
    return {data() + exchange_size_ + routing_key_size_, properties_size_};
  }
  /// Routing keys that no client is shown (RabbitMQ, BCC) and that a dead letter without a key of its own is routed by
  /// once more: short strings of the wire, one after the other. Not kept on disk.
  std::string_view hidden_keys() const noexcept {
    return {data() + exchange_size_ + routing_key_size_ + properties_size_, hidden_keys_size_};
  }
  std::string_view body() const noexcept { return {data() + body_offset(), body_size_}; }
  /// delivery-mode 2: survives a restart in a durable queue.
  bool persistent() const noexcept { return persistent_; }
  /// Bytes of this message: the same for every copy of it.
  std::size_t footprint() const noexcept { return sizeof(message) + body_offset() + body_size_; }

  /// What whoever keeps a message has beside it: its entry in a queue, the client's tag of a delivery.
  static constexpr std::size_t keeping_bytes = 96;
  /// Bytes of memory that all living messages take: their blocks as the allocator made them, a fifth larger than what
  /// was asked for if it is unlucky, and `keeping_bytes` for each.
  static std::int64_t resident_bytes() noexcept { return resident_.load(std::memory_order_relaxed); }

private:
  friend class message_ptr;
  friend class message_builder;
  message() = default;
  std::int64_t memory_bytes() const noexcept;
  const char* data() const noexcept { return reinterpret_cast<const char*>(this + 1); }
  std::size_t body_offset() const noexcept {
    return std::size_t{exchange_size_} + routing_key_size_ + properties_size_ + hidden_keys_size_;
  }

  static inline std::atomic<std::int64_t> resident_{0};
  mutable std::atomic<std::uint32_t> references_{1};
  std::uint32_t properties_size_ = 0;
  std::uint64_t body_size_ = 0;
  std::uint8_t exchange_size_ = 0; // AMQP short strings: at most 255 bytes
  std::uint8_t routing_key_size_ = 0;
  bool persistent_ = false;
  std::uint32_t hidden_keys_size_ = 0;
};

/// Shared ownership of a message, one pointer wide. Copying counts, moving doesn't.
class message_ptr {
public:
  message_ptr() = default;
  message_ptr(const message_ptr& other) noexcept : held_(other.held_) {
    if (held_)
      held_->references_.fetch_add(1, std::memory_order_relaxed);
  }
  message_ptr(message_ptr&& other) noexcept : held_(other.held_) { other.held_ = nullptr; }
  message_ptr& operator=(message_ptr other) noexcept {
    auto* mine = held_;
    held_ = other.held_;
    other.held_ = mine;
    return *this;
  }
  ~message_ptr() {
    if (held_ && held_->references_.fetch_sub(1, std::memory_order_acq_rel) == 1)
      destroy(held_);
  }

  const message* operator->() const noexcept { return held_; }
  const message& operator*() const noexcept { return *held_; }
  explicit operator bool() const noexcept { return held_ != nullptr; }
  friend bool operator==(const message_ptr&, const message_ptr&) = default;

private:
  friend class message_builder;
  explicit message_ptr(message* owned) noexcept : held_(owned) {}
  static void destroy(message* dead) noexcept;

  message* held_ = nullptr;
};

/// Fills a message: sizes first, then the body in as many parts as it arrives in.
/// Precondition: exchange and routing_key ≤ 255 bytes, body_size within the caller's limit.
class message_builder {
public:
  message_builder(std::string_view exchange, std::string_view routing_key, std::string_view properties,
                  std::uint64_t body_size, bool persistent, std::string_view hidden_keys = {});
  message_builder(message_builder&&) noexcept = default;
  message_builder& operator=(message_builder&&) noexcept = default;

  /// Bytes of the body that are still missing.
  std::uint64_t missing() const noexcept;
  /// Precondition: part.size() <= missing().
  void append(std::string_view part) noexcept;
  /// Precondition: missing() == 0. Leaves the builder empty.
  message_ptr finish() noexcept;

private:
  message_ptr built_;
  std::uint64_t filled_ = 0;
};

/// A whole message at once.
message_ptr make_message(std::string_view exchange, std::string_view routing_key, std::string_view properties,
                         std::string_view body, bool persistent, std::string_view hidden_keys = {});

} // namespace switchboard
