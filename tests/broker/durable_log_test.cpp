#include "tests/broker/durable_log_contract.hpp"
#include "tests/support/controlled_log.hpp"

namespace switchboard::test {
namespace {

/// The log of the other tests is held to the contract as well: what they prove counts for any log.
struct in_memory {
  std::shared_ptr<controlled_log> kept = std::make_shared<controlled_log>();
  std::shared_ptr<broker::durable_log> open() const { return kept; }
};

INSTANTIATE_TYPED_TEST_SUITE_P(in_memory, durable_log_contract, in_memory);

} // namespace
} // namespace switchboard::test
