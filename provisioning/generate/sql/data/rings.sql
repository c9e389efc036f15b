SELECT
  set_up_at * 1000 AS "Set up",
  hardware_type AS "Generation",
  design AS "Design",
  color AS "Finish",
  size AS "Size",
  firmware_version AS "Firmware"
FROM ring_configuration
ORDER BY set_up_at DESC
