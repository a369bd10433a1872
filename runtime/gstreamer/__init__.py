"""The tracker as an element of GStreamer's pipelines; see ``python/hotpathtrack.py``.

GStreamer's loader of Python plugins takes the files in ``python`` below ``GST_PLUGIN_PATH``.
"""
