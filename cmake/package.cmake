# What others get: the CMake package (from the build tree and from an installation), the templates of `plugin new`, and
# what `cmake --install` puts where.
#
#   bin/switchboard   lib/switchboard/plugins   etc/switchboard/standalone.toml
#   include/switchboard/{sdk,messages,base}     lib/cmake/Switchboard     share/doc/switchboard/{README.md,docs,actors,…}

add_library(Switchboard::sdk ALIAS switchboard_sdk)

# The sources behind the headers that the SDK includes.
set(switchboard_sdk_sources
  base/errc.cpp base/ids.cpp base/random.cpp base/time.cpp messages/envelope.cpp messages/json_object.cpp)

set(switchboard_sdk_dir "${CMAKE_SOURCE_DIR}/src")
set(switchboard_functions "${CMAKE_SOURCE_DIR}/cmake/SwitchboardPlugin.cmake")
configure_file(cmake/SwitchboardConfig.cmake.in lib/cmake/Switchboard/SwitchboardConfig.cmake @ONLY)
set(switchboard_sdk_dir "\${CMAKE_CURRENT_LIST_DIR}/../../../include/switchboard")
set(switchboard_functions "\${CMAKE_CURRENT_LIST_DIR}/SwitchboardPlugin.cmake")
configure_file(cmake/SwitchboardConfig.cmake.in installed/SwitchboardConfig.cmake @ONLY)
include(CMakePackageConfigHelpers)
write_basic_package_version_file("${CMAKE_BINARY_DIR}/lib/cmake/Switchboard/SwitchboardConfigVersion.cmake"
  VERSION ${PROJECT_VERSION} COMPATIBILITY SameMajorVersion ARCH_INDEPENDENT)

# The files of examples/<kind> become the table plugin_templates of src/node/plugin_templates.hpp.
function(switchboard_embed_templates into)
  set(text "#include \"node/plugin_templates.hpp\"\n\nnamespace switchboard::node {\n\n")
  string(APPEND text "const std::vector<plugin_template_file>& plugin_template_files() {\n")
  string(APPEND text "  static const std::vector<plugin_template_file> files{\n")
  foreach(kind entity worker subscriber)
    file(GLOB_RECURSE files CONFIGURE_DEPENDS RELATIVE "${CMAKE_SOURCE_DIR}/examples/${kind}"
      "${CMAKE_SOURCE_DIR}/examples/${kind}/*")
    foreach(file ${files})
      set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/examples/${kind}/${file}")
      file(READ "${CMAKE_SOURCE_DIR}/examples/${kind}/${file}" content)
      string(APPEND text "      {\"${kind}\", \"${file}\", R\"~~~(${content})~~~\"},\n")
    endforeach()
  endforeach()
  string(APPEND text "  };\n  return files;\n}\n\n} // namespace switchboard::node\n")
  set(before "")
  if(EXISTS "${into}")
    file(READ "${into}" before)
  endif()
  if(NOT text STREQUAL before)
    file(WRITE "${into}" "${text}")
  endif()
endfunction()
if(TARGET switchboard_node)
  switchboard_embed_templates("${CMAKE_BINARY_DIR}/generated/plugin_templates.cpp")
  target_sources(switchboard_node PRIVATE "${CMAKE_BINARY_DIR}/generated/plugin_templates.cpp")
endif()

include(GNUInstallDirs)
if(TARGET switchboard)
  install(TARGETS switchboard RUNTIME DESTINATION bin)
  foreach(actor ${switchboard_actors})
    install(TARGETS plugin_${actor} LIBRARY DESTINATION lib/switchboard/plugins)
  endforeach()
endif()
install(FILES config/standalone.toml DESTINATION etc/switchboard)
foreach(layer sdk messages base)
  install(DIRECTORY "src/${layer}/" DESTINATION include/switchboard/${layer}
    FILES_MATCHING PATTERN "*.h" PATTERN "*.hpp")
endforeach()
foreach(source ${switchboard_sdk_sources})
  get_filename_component(folder ${source} DIRECTORY)
  install(FILES "src/${source}" DESTINATION include/switchboard/${folder})
endforeach()
install(FILES "${CMAKE_BINARY_DIR}/installed/SwitchboardConfig.cmake" cmake/SwitchboardPlugin.cmake
  "${CMAKE_BINARY_DIR}/lib/cmake/Switchboard/SwitchboardConfigVersion.cmake" DESTINATION lib/cmake/Switchboard)
# The documents under the paths that they have here, so that their links hold.
set(switchboard_documents README.md src/sdk/README.md config/README.md config/standalone.toml config/alerts.yml)
file(GLOB actor_documents CONFIGURE_DEPENDS RELATIVE "${CMAKE_SOURCE_DIR}" "${CMAKE_SOURCE_DIR}/actors/*/README.md")
foreach(document ${switchboard_documents} actors/README.md ${actor_documents})
  get_filename_component(folder ${document} DIRECTORY)
  install(FILES ${document} DESTINATION share/doc/switchboard/${folder})
endforeach()
install(DIRECTORY docs examples DESTINATION share/doc/switchboard)
