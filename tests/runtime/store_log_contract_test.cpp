// The broker's log on the embedded store keeps what the broker relies on.
#include "runtime/store_log.hpp"
#include "tests/broker/durable_log_contract.hpp"
#include "tests/store/temporary_store.hpp"

namespace switchboard::test {
namespace {

struct embedded_store {
  store::temporary_directory directory;
  std::shared_ptr<broker::durable_log> open() const {
    return runtime::make_store_log(store::must_open(store::small_store(directory.path() + "/store")),
                                   std::make_shared<broker::alarms>());
  }
};

INSTANTIATE_TYPED_TEST_SUITE_P(embedded_store, durable_log_contract, embedded_store);

} // namespace
} // namespace switchboard::test
