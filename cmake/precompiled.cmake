# Precompiled headers for the actors and for their tests: reading headers, JSON's above all, was a third of their time.
# Only other people's. CAF and Boost are left out, and so are the layers that use them: a set of 300 MB costs as much as
# it saves. The first target of a kind compiles the set, the others use that. The presets that look at single files (dev,
# fuzz, coverage) go without, so a missing include is still found.

set(switchboard_headers_actors
  <algorithm> <atomic> <chrono> <condition_variable> <cstdint> <deque> <functional> <list> <map> <memory> <mutex> <optional>
  <set> <span> <sstream> <string> <string_view> <thread> <tuple> <unordered_map> <unordered_set> <utility> <variant> <vector>
  <nlohmann/json.hpp>)
set(switchboard_headers_actor_tests ${switchboard_headers_actors} <gmock/gmock.h> <gtest/gtest.h>)

# `kind`: actors or actor_tests.
function(switchboard_precompile target kind)
  get_property(owner GLOBAL PROPERTY switchboard_precompiled_${kind})
  if(owner)
    target_precompile_headers(${target} REUSE_FROM ${owner})
  else()
    target_precompile_headers(${target} PRIVATE ${switchboard_headers_${kind}})
    set_property(GLOBAL PROPERTY switchboard_precompiled_${kind} ${target})
  endif()
  target_compile_options(${target} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess>) # ccache wants to see them
endfunction()
