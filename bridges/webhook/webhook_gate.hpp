// Which events come to the sorter at all: those of customers who have a webhook. A publisher asks before he writes the
// event into the sorter's queue, so on a node without webhooks an event costs nothing here.
//
// What happens after a webhook was made finds it, without a clock: webhook.created passes this gate before the answer
// of its request is sent, and opens it for its customer. It stays open for him until the sorter begins anew.
#pragma once

#include <atomic>
#include <set>
#include <shared_mutex>
#include <string>

#include "broker/endpoint.hpp"

namespace switchboard::webhook {

/// Webhooks announce their own events by this name.
inline constexpr const char* own_resource = "webhook";

/// What our own publishers say beside the body, so that most events need not be read. Empty: it has to be.
std::string customer_of(const message& what);

/// Open until close() was called. Thread-safe.
class gate final : public broker::message_gate {
public:
  bool admits(const message& what) override;

  /// A sorter begins, which knows nobody: everything passes.
  void open();
  /// All customers who have a webhook; those whose webhooks were announced since stay, too.
  void close(const std::set<std::string>& customers);

private:
  void announce(std::string customer);

  enum class opening { all, some, own }; ///< own: nobody's events but webhooks' own
  std::atomic<opening> opening_{opening::all};
  mutable std::shared_mutex mutex_;
  std::set<std::string> customers_;
  bool nameless_ = false; ///< a webhook was announced that doesn't say whose it is
};

} // namespace switchboard::webhook
