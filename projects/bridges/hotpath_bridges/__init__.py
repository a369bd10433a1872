"""ROS 2, MQTT and GStreamer for ``hotpath track``."""
