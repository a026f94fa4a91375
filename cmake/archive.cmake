# SPDX-License-Identifier: MIT
# gmem_objects(NAME SOURCE...): an object library that the shared library, the
# archive and the tests are all made of.
#
# Never for link time optimisation, whatever the flags say: such an object has
# no machine code, in which alone a name can be made local, so that the archive
# would show all its inner names and clash with others that have them too.
function(gmem_objects name)
  add_library(${name} OBJECT ${ARGN})
  set_target_properties(
    ${name}
    PROPERTIES C_VISIBILITY_PRESET hidden
               POSITION_INDEPENDENT_CODE ON
               INTERPROCEDURAL_OPTIMIZATION OFF)
  target_compile_options(${name} PRIVATE -fno-lto)
endfunction()

# gmem_archive(TARGET NAME OBJECT-LIBRARY...): libNAME.a of one object in which
# hidden means local: a static program sees the names of the map and no others.
function(gmem_archive target name)
  list(TRANSFORM ARGN REPLACE "(.+)" "$<TARGET_OBJECTS:\\1>"
       OUTPUT_VARIABLE objects)
  set(object ${CMAKE_CURRENT_BINARY_DIR}/lib${name}.o)
  add_custom_command(
    OUTPUT ${object}
    COMMAND ${CMAKE_LINKER} -r -o ${object}.all ${objects}
    COMMAND ${CMAKE_OBJCOPY} --localize-hidden ${object}.all ${object}
    DEPENDS ${objects}
    COMMAND_EXPAND_LISTS VERBATIM)
  add_library(${target} STATIC ${object})
  # Make knows how to build an object in its own library only: that one first.
  add_dependencies(${target} ${ARGN})
  set_source_files_properties(${object} PROPERTIES EXTERNAL_OBJECT ON)
  set_target_properties(${target} PROPERTIES LINKER_LANGUAGE C OUTPUT_NAME
                                                               ${name})
endfunction()
